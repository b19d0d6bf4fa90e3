# Turns core/ffi/tidegate.h into the text that Lua gives to ffi.cdef, as a C
# string tg_ffi_cdef (the header is the only source of the layout).
set(TG_FFI_HEADER ${CMAKE_SOURCE_DIR}/core/ffi/tidegate.h)
set(TG_FFI_CDEF_C ${CMAKE_BINARY_DIR}/generated/ffi_cdef.c)
add_custom_command(
  OUTPUT ${TG_FFI_CDEF_C}
  COMMAND ${CMAKE_COMMAND} -DIN=${TG_FFI_HEADER} -DOUT=${TG_FFI_CDEF_C}
          -P ${CMAKE_SOURCE_DIR}/cmake/make_cdef.cmake
  DEPENDS ${TG_FFI_HEADER} ${CMAKE_SOURCE_DIR}/cmake/make_cdef.cmake
  COMMENT "Making the cdef from tidegate.h")
