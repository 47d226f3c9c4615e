# Installs library, program, header, pkg-config file and CMake package.
install(TARGETS leakshim leakshim_program EXPORT leakshim-targets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
    RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES ${PROJECT_SOURCE_DIR}/include/leakshim/leakshim.h
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/leakshim)

# The HTML report carries uPlot.
install(FILES ${PROJECT_SOURCE_DIR}/third_party/uplot/LICENSE
    DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME LICENSE.uplot)

install(FILES ${PROJECT_SOURCE_DIR}/man/leakshim.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${PROJECT_SOURCE_DIR}/man/leakshim.3 DESTINATION ${CMAKE_INSTALL_MANDIR}/man3)
install(FILES ${PROJECT_SOURCE_DIR}/man/libleakshim.so.7 DESTINATION ${CMAKE_INSTALL_MANDIR}/man7)
install(FILES ${PROJECT_SOURCE_DIR}/completions/leakshim.bash
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME leakshim)
install(FILES ${PROJECT_SOURCE_DIR}/completions/_leakshim
    DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)

install(EXPORT leakshim-targets NAMESPACE leakshim:: FILE leakshim-targets.cmake
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/leakshim)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/leakshim-config.cmake.in
    ${CMAKE_BINARY_DIR}/leakshim-config.cmake
    INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/leakshim)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/leakshim-config-version.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/leakshim-config.cmake
    ${CMAKE_BINARY_DIR}/leakshim-config-version.cmake
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/leakshim)

# Relative to where the file lies, so that the installed tree may be moved.
file(RELATIVE_PATH LEAKSHIM_PC_PREFIX
    "${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
configure_file(${PROJECT_SOURCE_DIR}/cmake/leakshim.pc.in ${CMAKE_BINARY_DIR}/leakshim.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/leakshim.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
