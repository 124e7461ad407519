# The files that are compiled once for each instruction set and chosen at run time. Alone, and without the shared
# precompiled header: what is inlined in them must not reach code that every machine runs.
set(kernels native/src/infer/cpu/kernels)
set(vectors -O3 -ffp-contract=fast)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(avx2 -mavx2 -mfma)
  set(avx512 ${avx2} -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512)
endif()
set_source_files_properties(${kernels}_baseline.cpp PROPERTIES COMPILE_OPTIONS "${vectors}")
set_source_files_properties(${kernels}_avx2.cpp PROPERTIES COMPILE_OPTIONS "${vectors};${avx2}")
set_source_files_properties(${kernels}_avx512.cpp PROPERTIES COMPILE_OPTIONS "${vectors};${avx512}")
set_source_files_properties(${kernels}_baseline.cpp ${kernels}_avx2.cpp ${kernels}_avx512.cpp PROPERTIES
  SKIP_UNITY_BUILD_INCLUSION ON SKIP_PRECOMPILE_HEADERS ON)
