# The service as an image: docker build -t seedpath . && docker run --network host seedpath
# docs/docker.md says why the host's network.

FROM python:3.11.14-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/seedpath
ENV PATH=/opt/seedpath/bin:$PATH
COPY requirements.lock pyproject.toml LICENSE ./
COPY anatomy anatomy
COPY planner planner
COPY service service
RUN pip install --no-cache-dir --constraint requirements.lock .

FROM python:3.11.14-slim-bookworm
RUN useradd --create-home --uid 10001 seedpath \
    && install --directory --owner=seedpath /var/lib/seedpath /var/cache/seedpath
COPY --from=build /opt/seedpath /opt/seedpath
ENV PATH=/opt/seedpath/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    NUMBA_CACHE_DIR=/var/cache/seedpath \
    SEEDPATH_DATA_DIR=/var/lib/seedpath
WORKDIR /var/lib/seedpath
USER 10001
# The demo runs the whole product once: it compiles every kernel into the image, and fails the build if the
# product does not work in it. On a processor of another kind numba compiles anew, at the first plan.
RUN seedpath demo
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/v1/health', timeout=3)"]
CMD ["seedpath", "serve", "--host", "127.0.0.1", "--port", "8000"]
