# A private copy of jemalloc as one object file with renamed symbols; see private-jemalloc.sh.
find_library(JEMALLOC_PIC_ARCHIVE NAMES libjemalloc_pic.a REQUIRED)
set(LEAKSHIM_JEMALLOC_OBJECT ${CMAKE_BINARY_DIR}/private-jemalloc.o)
add_custom_command(
    OUTPUT ${LEAKSHIM_JEMALLOC_OBJECT}
    COMMAND sh ${PROJECT_SOURCE_DIR}/cmake/private-jemalloc.sh ${JEMALLOC_PIC_ARCHIVE}
            ${LEAKSHIM_JEMALLOC_OBJECT} ${CMAKE_NM} ${CMAKE_AR} ${CMAKE_LINKER} ${CMAKE_OBJCOPY}
    DEPENDS ${PROJECT_SOURCE_DIR}/cmake/private-jemalloc.sh ${JEMALLOC_PIC_ARCHIVE}
    COMMENT "Renaming the symbols of ${JEMALLOC_PIC_ARCHIVE}"
    VERBATIM)
add_custom_target(private_jemalloc DEPENDS ${LEAKSHIM_JEMALLOC_OBJECT})
