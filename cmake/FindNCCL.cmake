# NVIDIA's collectives: NCCL::NCCL. Looked for in BERTHA_NCCL_ROOT (as a wheel of PyPI's nvidia-nccl-cu13
# unpacks, .../nvidia/nccl, it has no libnccl.so but libnccl.so.2), in the CUDA toolkit, then where
# Debian's and NVIDIA's packages put it.
set(hints ${BERTHA_NCCL_ROOT} $ENV{BERTHA_NCCL_ROOT} ${PROJECT_SOURCE_DIR}/build/nccl/nvidia/nccl
  ${CUDAToolkit_LIBRARY_ROOT} ${CUDAToolkit_TARGET_DIR})
find_path(NCCL_INCLUDE_DIR nccl.h HINTS ${hints} PATH_SUFFIXES include)
find_library(NCCL_LIBRARY NAMES nccl libnccl.so.2 HINTS ${hints} PATH_SUFFIXES lib lib64)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(NCCL REQUIRED_VARS NCCL_LIBRARY NCCL_INCLUDE_DIR)
if(NCCL_FOUND AND NOT TARGET NCCL::NCCL)
  add_library(NCCL::NCCL UNKNOWN IMPORTED)
  set_target_properties(NCCL::NCCL PROPERTIES IMPORTED_LOCATION ${NCCL_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${NCCL_INCLUDE_DIR})
endif()
