# cmake -DSOURCE=folder -DOUTPUT=header [-DCOMMIT=text] -DBUILD_TYPE=text -P write_build_commit.cmake
cmake_policy(VERSION 3.25)
if(NOT COMMIT)
  # --exclude=*: no tag, only the commit. Changes that are not committed are marked.
  execute_process(COMMAND git -C ${SOURCE} describe --always --dirty --abbrev=12 --exclude=*
    OUTPUT_VARIABLE COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(failed)
    set(COMMIT "unknown")
  endif()
endif()
file(CONFIGURE OUTPUT ${OUTPUT} @ONLY CONTENT "#pragma once

// Written by cmake/write_build_commit.cmake.
#define BERTHA_COMMIT \"@COMMIT@\"
#define BERTHA_BUILD_TYPE \"@BUILD_TYPE@\"
")
