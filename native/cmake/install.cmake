# What programs outside Node use. `cmake --install BUILD --prefix DIR` gives
#   lib/libstainfold_core.a, include/stainfold, lib/cmake/stainfold   find_package(stainfold), target stainfold::core
#   lib/libstainfold_ops.so                                          torch.ops.load_library
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

add_library(stainfold_ops SHARED $<TARGET_OBJECTS:stainfold_room_core> $<TARGET_OBJECTS:stainfold_room_ops>)
target_link_libraries(stainfold_ops PRIVATE stainfold::libtorch ${STAINFOLD_CUDA_LIBRARIES})
# No RPATH: the process has loaded LibTorch already, and must not load a second one.
set_target_properties(stainfold_ops PROPERTIES BUILD_WITH_INSTALL_RPATH ON INSTALL_RPATH "")

# `__version__ = '2.13.0+cpu'` in the wheel, `2.13.0+cpu` alone in the archive: as ts/libtorch/layout.ts reads it.
foreach(file version.py build-version)
  if(EXISTS "${STAINFOLD_LIBTORCH}/${file}" AND NOT STAINFOLD_LIBTORCH_MINOR)
    file(STRINGS "${STAINFOLD_LIBTORCH}/${file}" stated REGEX "[0-9]+\\.[0-9]+\\.[0-9]+" LIMIT_COUNT 1)
    string(REGEX MATCH "[0-9]+\\.[0-9]+" STAINFOLD_LIBTORCH_MINOR "${stated}")
  endif()
endforeach()

set(stainfold_package ${CMAKE_INSTALL_LIBDIR}/cmake/stainfold)
set(STAINFOLD_ARCHIVE_FILE ${CMAKE_STATIC_LIBRARY_PREFIX}stainfold_core${CMAKE_STATIC_LIBRARY_SUFFIX})
configure_package_config_file(native/cmake/stainfold-config.cmake.in
  ${CMAKE_CURRENT_BINARY_DIR}/stainfold-config.cmake
  INSTALL_DESTINATION ${stainfold_package} PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/stainfold-config-version.cmake
  COMPATIBILITY ExactVersion)

install(TARGETS stainfold_core ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS stainfold_ops LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY native/include/stainfold DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/stainfold-config.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/stainfold-config-version.cmake DESTINATION ${stainfold_package})
