# Headers, archive, package configuration for find_package(goco), goco.pc and goco-split.pc, the script for gdb.
include(CMakePackageConfigHelpers)

set(goco_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/goco)
set(goco_pc_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(TARGETS goco EXPORT goco-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES ${PROJECT_SOURCE_DIR}/include/go.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/go DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(EXPORT goco-targets NAMESPACE goco:: DESTINATION ${goco_package_dir})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/goco-config.cmake.in ${PROJECT_BINARY_DIR}/goco-config.cmake
    INSTALL_DESTINATION ${goco_package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/goco-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/goco-config.cmake ${PROJECT_BINARY_DIR}/goco-config-version.cmake
    ${PROJECT_SOURCE_DIR}/cmake/GocoSplitStack.cmake DESTINATION ${goco_package_dir})

# The .pc files find their prefix from where they lie, so that `cmake --install --prefix` may choose it.
file(RELATIVE_PATH goco_prefix_from_pc /prefix/${goco_pc_dir} /prefix)
string(REGEX REPLACE "/$" "" goco_prefix_from_pc "${goco_prefix_from_pc}")
string(REPLACE ";" " " goco_pc_sanitize "${GOCO_SANITIZE_FLAGS}")
configure_file(${PROJECT_SOURCE_DIR}/cmake/goco.pc.in ${PROJECT_BINARY_DIR}/goco.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/goco.pc DESTINATION ${goco_pc_dir})
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|amd64|AMD64" AND NOT GOCO_SANITIZE)
    set(goco_pc_linker -fuse-ld=gold)
    if("${GOCO_SPLIT_LINK_OPTIONS}" MATCHES "-fuse-ld=lld")
        set(goco_pc_linker -fuse-ld=lld)
    endif()
    configure_file(${PROJECT_SOURCE_DIR}/cmake/goco-split.pc.in ${PROJECT_BINARY_DIR}/goco-split.pc @ONLY)
    install(FILES ${PROJECT_BINARY_DIR}/goco-split.pc DESTINATION ${goco_pc_dir})
endif()

install(FILES ${PROJECT_SOURCE_DIR}/tools/gdb/goco-gdb.py DESTINATION ${CMAKE_INSTALL_DATADIR}/goco/gdb)
