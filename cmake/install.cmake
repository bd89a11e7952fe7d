# cmake --install: the program, its MPI plugins, completions, manual pages, documents and files for
# deployment. The program finds its files relative to itself, so the installed folder can be moved.
include(GNUInstallDirs)
install(TARGETS bertha RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
if(BERTHA_MPI_PLUGINS)
  install(TARGETS ${BERTHA_MPI_PLUGINS} LIBRARY DESTINATION lib/bertha)
endif()

# The program prints its manual pages and completions, so it must run on this machine.
set(pages ${PROJECT_BINARY_DIR}/share)
install(CODE "execute_process(COMMAND \"${CMAKE_COMMAND}\"
    -DPROGRAM=$<TARGET_FILE:bertha> -DFOLDER=${pages}
    -P \"${PROJECT_SOURCE_DIR}/cmake/write_pages.cmake\" COMMAND_ERROR_IS_FATAL ANY)")
install(DIRECTORY ${pages}/ DESTINATION ${CMAKE_INSTALL_DATADIR})

# What a cluster's own mpicc compiles (docs/guide/install.md).
install(FILES src/comm/mpi/mpi_plugin.c src/comm/mpi/mpi_plugin.h
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bertha/mpi)
install(DIRECTORY deploy DESTINATION ${CMAKE_INSTALL_DATADIR}/bertha USE_SOURCE_PERMISSIONS)
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES README.md CHANGELOG.md SECURITY.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
