# A build that finds memory errors, undefined behaviour or races while it runs: `npm run sanitize`, in a folder of its own.
# STAINFOLD_SANITIZE is what -fsanitize takes: address,undefined or thread; a first finding ends the program. -O1, because
# the checks are slow enough; -g1, so that a report names lines.
set(CMAKE_CXX_FLAGS_RELEASE "-O1 -g1")
set(sanitize -fsanitize=${STAINFOLD_SANITIZE})
add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:${sanitize};-fno-sanitize-recover=all;-fno-omit-frame-pointer>")
add_link_options(${sanitize})

if(STAINFOLD_TESTS)
  # What must be found: a sanitizer that is silent here protects nothing.
  find_package(Threads REQUIRED)
  add_executable(canary EXCLUDE_FROM_ALL test/sanitizers/canary.cpp)
  target_link_libraries(canary PRIVATE Threads::Threads)

  # The units that start threads and need no LibTorch. LibTorch's own threads, OpenMP's, synchronise in ways that
  # ThreadSanitizer does not see: what runs on them it would call a race.
  add_executable(test_threads EXCLUDE_FROM_ALL
    native/src/core/job_thread.cpp native/src/core/interrupt.cpp native/src/infer/cpu/pool.cpp
    test/cpp/main.cpp test/cpp/core/job_thread.test.cpp test/cpp/core/job_races.test.cpp test/cpp/infer/cpu_pool.test.cpp)
  target_include_directories(test_threads PRIVATE native/include native/src test/cpp)
  target_link_libraries(test_threads PRIVATE Threads::Threads)
endif()
