# LibTorch as a plain imported target. find_package(Torch) demands a whole CUDA toolkit for a CUDA build of LibTorch;
# we link only what we use.
if(NOT EXISTS "${STAINFOLD_LIBTORCH}/include/ATen/ATen.h")
  message(FATAL_ERROR "STAINFOLD_LIBTORCH='${STAINFOLD_LIBTORCH}' holds no include/ATen/ATen.h. "
                      "Run 'npm run build:native', which finds LibTorch or says how to install it.")
endif()

add_library(stainfold_libtorch INTERFACE)
add_library(stainfold::libtorch ALIAS stainfold_libtorch)
target_include_directories(stainfold_libtorch SYSTEM INTERFACE
  ${STAINFOLD_LIBTORCH}/include ${STAINFOLD_LIBTORCH}/include/torch/csrc/api/include)
target_link_directories(stainfold_libtorch INTERFACE ${STAINFOLD_LIBTORCH}/lib)
target_link_libraries(stainfold_libtorch INTERFACE torch torch_cpu c10)

set(STAINFOLD_CUDA_LIBRARIES "")
if(STAINFOLD_CUDA)
  enable_language(CUDA)
  set(CMAKE_CUDA_STANDARD 17)  # the .cu files hold no torch header, so they do not need LibTorch's C++20
  set(CMAKE_CUDA_ARCHITECTURES ${STAINFOLD_CUDA_ARCHITECTURES})
  find_package(CUDAToolkit REQUIRED)
  target_include_directories(stainfold_libtorch SYSTEM INTERFACE ${CUDAToolkit_INCLUDE_DIRS})
  target_compile_definitions(stainfold_libtorch INTERFACE STAINFOLD_CUDA=1)
  # torch_cuda registers its kernels from static initialisers; without --no-as-needed the linker drops it.
  set(STAINFOLD_CUDA_LIBRARIES c10_cuda "-Wl,--push-state,--no-as-needed" torch_cuda "-Wl,--pop-state" CUDA::cudart_static)
endif()
