# stainfold.node and preload.node. STAINFOLD_NODE_INCLUDE lists the folders of node_api.h and napi.h.
set(STAINFOLD_NODE_INCLUDE "" CACHE STRING "Folders of node_api.h and napi.h")

function(stainfold_addon target)
  add_library(${target} MODULE ${ARGN})
  target_include_directories(${target} PRIVATE native/include native/src)
  target_include_directories(${target} SYSTEM PRIVATE ${STAINFOLD_NODE_INCLUDE} ${CMAKE_JS_INC})
  # NO_EXTERNAL_BUFFERS: Electron forbids them; the compiler then keeps us honest.
  # SWALLOW_UNTHROWABLE: a worker that is being terminated refuses exceptions; without it node-addon-api aborts the process.
  target_compile_definitions(${target} PRIVATE NAPI_VERSION=8 NAPI_CPP_EXCEPTIONS NODE_API_NO_EXTERNAL_BUFFERS_ALLOWED
    NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS)
  target_compile_options(${target} PRIVATE -Wall -Wextra)
  set_target_properties(${target} PROPERTIES PREFIX "" SUFFIX ".node" BUILD_WITH_INSTALL_RPATH ON INSTALL_RPATH "")
  target_link_libraries(${target} PRIVATE ${CMAKE_JS_LIB})
  if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    # A worker that loaded the addon unloads it when it ends, while LibTorch's pools may still hold thread-locals of ours.
    target_link_options(${target} PRIVATE -Wl,-z,nodelete)
  endif()
endfunction()

file(GLOB napi_sources CONFIGURE_DEPENDS native/src/napi/*.cpp)
if(napi_sources)
  stainfold_addon(stainfold ${napi_sources} ${STAINFOLD_ROOM_OBJECTS})
  set_target_properties(stainfold PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
  target_link_libraries(stainfold PRIVATE stainfold::libtorch ${STAINFOLD_CUDA_LIBRARIES} ${CMAKE_DL_LIBS})
  target_precompile_headers(stainfold REUSE_FROM stainfold_room_core)
endif()

file(GLOB preload_sources CONFIGURE_DEPENDS native/src/preload/*.cpp)
if(preload_sources)
  stainfold_addon(preload ${preload_sources})
  target_link_libraries(preload PRIVATE ${CMAKE_DL_LIBS})
endif()
