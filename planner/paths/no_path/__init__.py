"""Where no path is: what blocks, the line that is nearest to being safe, and what would open one."""
