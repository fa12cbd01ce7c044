"""What the patient is: frames, structures, distance fields, pose, readers, and the built-in thorax."""
