"""No path: what blocks, the line closest to being safe, and the changes that would open a path."""
