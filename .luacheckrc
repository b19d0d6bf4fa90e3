std = "luajit"
max_line_length = 100
files["**/*_spec.lua"] = { std = "+busted", globals = { "testlib" } }
files["tests/lua"] = { std = "+busted" }
exclude_files = { "build/" }
