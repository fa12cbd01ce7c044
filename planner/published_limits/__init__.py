"""Published limits of organs, as their tables state them, and which structures each row means."""
