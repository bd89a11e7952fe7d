# The files of the page that `bertha serve` shows at /, as arrays in page_assets.cc. They are written at
# build time by CMake itself, so that the build needs no other tool.
file(GLOB page_files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/serve/page/*.html
  ${PROJECT_SOURCE_DIR}/src/serve/page/*.css ${PROJECT_SOURCE_DIR}/src/serve/page/*.js)
set(page_include ${PROJECT_BINARY_DIR}/page)
set(page_bytes ${page_include}/serve/page/page_bytes.inc)
add_custom_command(OUTPUT ${page_bytes}
  COMMAND ${CMAKE_COMMAND} -DFOLDER=${PROJECT_SOURCE_DIR}/src/serve/page -DOUTPUT=${page_bytes}
    -P ${PROJECT_SOURCE_DIR}/cmake/write_page_bytes.cmake
  DEPENDS ${page_files} ${PROJECT_SOURCE_DIR}/cmake/write_page_bytes.cmake VERBATIM)
add_custom_target(page_bytes DEPENDS ${page_bytes})
bertha_layer(page serve/page)
target_include_directories(bertha_page PRIVATE ${page_include})
add_dependencies(bertha_page page_bytes)
