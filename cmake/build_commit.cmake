# The commit and the kind of the build, for bertha --version: neither a time nor a path, so that the
# same sources give the same bytes. The commit is looked up in every build, because a new commit
# changes no source file.
#
# Sources without git's data, such as a release archive, are configured with -DBERTHA_COMMIT=...
set(BERTHA_COMMIT "" CACHE STRING "Commit of the sources; empty: ask git")
set(build_commit ${PROJECT_BINARY_DIR}/generated/doctor/build_commit.h)
add_custom_target(bertha_build_commit BYPRODUCTS ${build_commit}
  COMMAND ${CMAKE_COMMAND} -DSOURCE=${PROJECT_SOURCE_DIR} -DOUTPUT=${build_commit}
    -DCOMMIT=${BERTHA_COMMIT} -DBUILD_TYPE=$<CONFIG>
    -P ${PROJECT_SOURCE_DIR}/cmake/write_build_commit.cmake
  COMMENT "" VERBATIM)
add_dependencies(bertha_doctor bertha_build_commit)
target_include_directories(bertha_doctor PRIVATE ${PROJECT_BINARY_DIR}/generated)
