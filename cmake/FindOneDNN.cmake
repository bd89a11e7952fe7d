# Finds oneDNN: the target OneDNN::OneDNN, and OneDNN_VERSION. The package's own configuration is not
# used: that of Debian 12 needs the headers of OpenCL.
find_path(ONEDNN_INCLUDE_DIR oneapi/dnnl/dnnl_version.h)
find_library(ONEDNN_LIBRARY dnnl)

if(ONEDNN_INCLUDE_DIR)
  file(STRINGS ${ONEDNN_INCLUDE_DIR}/oneapi/dnnl/dnnl_version.h onednn_numbers
    REGEX "^#define DNNL_VERSION_(MAJOR|MINOR|PATCH) +[0-9]+")
  list(TRANSFORM onednn_numbers REPLACE "^#define DNNL_VERSION_[A-Z]+ +" "")
  list(JOIN onednn_numbers "." OneDNN_VERSION)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OneDNN REQUIRED_VARS ONEDNN_LIBRARY ONEDNN_INCLUDE_DIR
  VERSION_VAR OneDNN_VERSION)
if(OneDNN_FOUND AND NOT TARGET OneDNN::OneDNN)
  add_library(OneDNN::OneDNN UNKNOWN IMPORTED)
  set_target_properties(OneDNN::OneDNN PROPERTIES IMPORTED_LOCATION ${ONEDNN_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${ONEDNN_INCLUDE_DIR})
endif()
