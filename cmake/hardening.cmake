# bertha_hardening: what a program that reads files from strangers is compiled and linked with, so that
# a defect ends it and is not an exploit. Every target of C and C++ takes it, the plugins and the tests
# too; nvcc's host code is compiled as nvcc does it. tests/hardening_test.sh reads the result from the
# program's ELF file, and `bertha doctor` shows it.
option(BERTHA_HARDENING "Stack protector, fortified functions, control-flow protection, full RELRO" ON)
add_library(bertha_hardening INTERFACE)

# The folders of hot loops: their sources are compiled without the bounds checks of the standard library.
set(BERTHA_HOT_FOLDERS src/ops/cpu)

# bertha_in_hot_folder(result source): whether a source lies in a folder of hot loops.
function(bertha_in_hot_folder result source)
  cmake_path(RELATIVE_PATH source BASE_DIRECTORY ${PROJECT_SOURCE_DIR} OUTPUT_VARIABLE file)
  cmake_path(GET file PARENT_PATH folder)
  if(folder IN_LIST BERTHA_HOT_FOLDERS)
    set(${result} ON PARENT_SCOPE)
  else()
    set(${result} OFF PARENT_SCOPE)
  endif()
endfunction()

if(NOT BERTHA_HARDENING)
  return()
endif()
include(CheckCXXCompilerFlag)
include(CheckCXXSourceCompiles)

set(hardening "")
foreach(flag -fstack-protector-strong -fstack-clash-protection)
  string(MAKE_C_IDENTIFIER "BERTHA_HAS${flag}" known)
  check_cxx_compiler_flag(${flag} ${known})
  if(${known})
    list(APPEND hardening ${flag})
  endif()
endforeach()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|i[3-6]86)$")
  check_cxx_compiler_flag(-fcf-protection=full BERTHA_HAS_cf_protection)
  if(BERTHA_HAS_cf_protection)
    list(APPEND hardening -fcf-protection=full)
  endif()
endif()
target_compile_options(bertha_hardening INTERFACE "$<$<COMPILE_LANGUAGE:C,CXX>:${hardening}>")
target_compile_definitions(bertha_hardening INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:_GLIBCXX_ASSERTIONS>)

# glibc warns about level 3 where the compiler does not know the sizes that it needs. Fortified functions
# need an optimising compiler, and the sanitizers replace the functions that they would check.
if(NOT BERTHA_SANITIZE)
  set(CMAKE_REQUIRED_FLAGS "-O2 -Werror -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3")
  check_cxx_source_compiles("#include <cstring>\nint main() { return 0; }" BERTHA_HAS_FORTIFY_3)
  unset(CMAKE_REQUIRED_FLAGS)
  set(fortify -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=$<IF:$<BOOL:${BERTHA_HAS_FORTIFY_3}>,3,2>)
  target_compile_options(bertha_hardening INTERFACE
    "$<$<AND:$<COMPILE_LANGUAGE:C,CXX>,$<CONFIG:Release,RelWithDebInfo,MinSizeRel>>:${fortify}>")
endif()

# Position-independent programs, whose relocations are done at the start and then write-protected.
set(module $<STREQUAL:$<TARGET_PROPERTY:TYPE>,MODULE_LIBRARY>)
set(executable $<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>)
target_compile_options(bertha_hardening INTERFACE
  $<$<AND:$<COMPILE_LANGUAGE:C,CXX>,$<NOT:${module}>>:-fPIE>
  $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-fPIE>)
target_link_options(bertha_hardening INTERFACE
  LINKER:-z,relro LINKER:-z,now LINKER:-z,noexecstack $<${executable}:-pie>)
