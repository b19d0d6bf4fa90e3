# Flags that every target of the project gets.
add_library(tg_options INTERFACE)
target_include_directories(tg_options INTERFACE ${CMAKE_SOURCE_DIR}/core)
target_compile_definitions(tg_options INTERFACE
  _GNU_SOURCE TG_VERSION="${PROJECT_VERSION}")
target_compile_options(tg_options INTERFACE
  -Wall -Wextra -Wshadow -Wpointer-arith -Wvla -Wformat=2
  $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes;-Wmissing-prototypes>
  # snprintf cuts names and sentences to fixed sizes on purpose.
  $<$<OR:$<C_COMPILER_ID:GNU>,$<CXX_COMPILER_ID:GNU>>:-Wno-format-truncation>
  -fno-strict-aliasing -fno-omit-frame-pointer -fvisibility=hidden
  $<$<BOOL:${TG_WERROR}>:-Werror>)
if(TG_POISON)
  target_compile_definitions(tg_options INTERFACE TG_POISON=1)
endif()
if(TG_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "TG_FUZZ needs clang: use -DCMAKE_C_COMPILER=clang "
      "-DCMAKE_CXX_COMPILER=clang++, or cmake --preset fuzz")
  endif()
  set(TG_SANITIZE "")
  target_compile_options(tg_options INTERFACE
    -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
  target_link_options(tg_options INTERFACE -fsanitize=address,undefined)
endif()
if(TG_SANITIZE)
  target_compile_options(tg_options INTERFACE
    -fsanitize=${TG_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(tg_options INTERFACE -fsanitize=${TG_SANITIZE})
endif()

# tg_module(NAME DEPENDS ...): a static library from one folder of core.
function(tg_module name)
  cmake_parse_arguments(M "" "" "DEPENDS;SOURCES" ${ARGN})
  if(NOT M_SOURCES)
    file(GLOB M_SOURCES CONFIGURE_DEPENDS
      ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.c
      ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cpp)
  endif()
  # A folder that holds only headers so far still is a library.
  set(anchor ${CMAKE_BINARY_DIR}/generated/anchor_${name}.c)
  file(CONFIGURE OUTPUT ${anchor}
    CONTENT "extern int tg__anchor_@name@;\nint tg__anchor_@name@;\n" @ONLY)
  add_library(tg_${name} STATIC ${anchor} ${M_SOURCES})
  target_link_libraries(tg_${name} PUBLIC tg_options ${M_DEPENDS})
endfunction()
