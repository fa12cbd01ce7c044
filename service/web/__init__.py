"""Web: REST, WebSocket and the page, from sockets to routes."""
