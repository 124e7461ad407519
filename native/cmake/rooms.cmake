# stainfold_room(NAME [USES ROOM...]): native/src/NAME as an object library with the shared precompiled header.
# Its closure (itself and all it uses, transitively) is what a test of that room links, so a room that reaches for one
# above it does not link.
set(STAINFOLD_ROOM_OBJECTS "")

function(stainfold_room name)
  cmake_parse_arguments(room "" "" "USES" ${ARGN})
  set(target stainfold_room_${name})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS native/src/${name}/*.cpp)
  # A folder cuda/ belongs to the CUDA variant; a folder nocuda/ holds what stands in its place in the CPU variant.
  set(kernels "")
  if(STAINFOLD_CUDA)
    file(GLOB_RECURSE kernels CONFIGURE_DEPENDS native/src/${name}/*.cu)
    list(FILTER sources EXCLUDE REGEX "/nocuda/")
  else()
    list(FILTER sources EXCLUDE REGEX "/cuda/")
  endif()

  # A folder simd/ holds loops that the compiler vectorises, without LibTorch's headers: see core/instruction_sets.h.
  # Neither errno nor floating-point traps are looked at; every other rule of IEEE arithmetic stays.
  set(loops ${sources})
  list(FILTER loops INCLUDE REGEX "/simd/")
  set_source_files_properties(${loops} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON SKIP_PRECOMPILE_HEADERS ON
    COMPILE_OPTIONS "$<$<NOT:$<CXX_COMPILER_ID:MSVC>>:-O3;-fno-math-errno;-fno-trapping-math>")

  add_library(${target} OBJECT ${sources} ${kernels})
  target_include_directories(${target} PUBLIC native/include native/src)
  target_link_libraries(${target} PUBLIC stainfold::libtorch)
  # Loading the precompiled header costs more than compiling most files, so a few share one translation unit.
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra>)
  if(name STREQUAL "core")
    target_precompile_headers(${target} PRIVATE
      $<$<COMPILE_LANGUAGE:CXX>:${PROJECT_SOURCE_DIR}/native/src/core/torch_pch.h>)
  else()
    target_precompile_headers(${target} REUSE_FROM stainfold_room_core)
  endif()

  set(closure ${name})
  foreach(used IN LISTS room_USES)
    list(APPEND closure ${used} ${STAINFOLD_CLOSURE_${used}})
  endforeach()
  list(REMOVE_DUPLICATES closure)
  set(STAINFOLD_CLOSURE_${name} ${closure} PARENT_SCOPE)
  set(STAINFOLD_ROOM_OBJECTS ${STAINFOLD_ROOM_OBJECTS} $<TARGET_OBJECTS:${target}> PARENT_SCOPE)
endfunction()
