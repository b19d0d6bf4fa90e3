# Where a package would put things: the binary finds share/tidegate beside it.
if(TARGET tidegate)
  install(TARGETS tidegate RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(CODE "file(CREATE_LINK tidegate \
    \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/connect-standalone\" SYMBOLIC)")
endif()
install(DIRECTORY lua connectors config
  DESTINATION ${CMAKE_INSTALL_DATADIR}/tidegate
  PATTERN "*_spec.lua" EXCLUDE)
install(FILES README.md LICENSE CHANGELOG.md
  DESTINATION ${CMAKE_INSTALL_DOCDIR})
