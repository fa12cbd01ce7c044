"""Surface files: STL, OBJ and PLY, the axes of their numbers and the names of their structures."""
