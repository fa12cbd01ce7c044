"""What the patient is: frames, structures, distance fields, pose, readers, and the built-in thorax."""

from anatomy.runtime.jit_cache import use_versioned_cache

use_versioned_cache()
