/*
 * A small boot.lua for the tests of core/script, so that they test the C side
 * alone. An instance is made from config.code, the text of a Lua chunk that
 * gets `host` and `sdk` and returns the table of hooks; its name is the class.
 */
#ifndef TG_TEST_SCRIPT_MINI_H
#define TG_TEST_SCRIPT_MINI_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "script/internal.h"
#include "base/file.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char mini_boot[] =
    "local host = ...\n"
    "local sdk = {}\n"
    "function sdk.fail(text) error(text) end\n"
    "function sdk.index(t) return t.x.y end\n"
    "local M = { healed = 0 }\n"
    "function M.instance(kind, class, config)\n"
    "    local chunk = assert(host.compile(config.code, '@' .. class .. "
    "'.lua'))\n"
    "    setfenv(chunk, setmetatable({ host = host, sdk = sdk, M = M },"
    "        { __index = _G }))\n"
    "    local inst = chunk(config)\n"
    "    inst.name, inst.version, inst.file = class, '1.2', class .. '.lua'\n"
    "    return inst\n"
    "end\n"
    "function M.find(kind, class)\n"
    "    if class == 'none' then return nil, 'no such class: none' end\n"
    "    return { kind = kind, class = class, config = host.json_decode('[]')"
    " }\n"
    "end\n"
    "function M.list() return {} end\n"
    "function M.validate(kind, class, config, known)\n"
    "    return { { key = 'a', message = tostring(config.a) } }, {}\n"
    "end\n"
    "function M.tasks(class, config, max)\n"
    "    local t = {}\n"
    "    for i = 1, max do t[i] = { id = tostring(i), a = config.a } end\n"
    "    return t\n"
    "end\n"
    "function M.heal() M.healed = M.healed + 1 end\n"
    "return M\n";

static char mini_home[64];

static inline void mini_write(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", mini_home, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* Before the first use of tg_home(). */
static inline int mini_setup(void **state)
{
    (void)state;
    char path[128];
    snprintf(mini_home, sizeof mini_home, "/tmp/tg-script-XXXXXX");
    if (!mkdtemp(mini_home))
        return -1;
    snprintf(path, sizeof path, "%s/lua", mini_home);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/lua/tidegate", mini_home);
    mkdir(path, 0700);
    mini_write("lua/tidegate/boot.lua", mini_boot);
    mini_write("lua/tidegate/init.lua", "return {}\n");
    return setenv("TIDEGATE_HOME", mini_home, 1);
}

static inline int mini_teardown(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", mini_home);
    return system(command) ? -1 : 0;
}

static inline tg_vm *mini_vm(const tg_vm_options *options)
{
    static const tg_vm_options plain = {.jit = true};
    tg_err err = {0};
    tg_vm *vm = tg_vm_new(options ? options : &plain, &err);
    if (!vm)
        fail_msg("no VM: %s\n%s", err.text, err.trace);
    return vm;
}

/* code: "return { poll = function() ... end }". */
static inline tg_instance *mini_try(tg_vm *vm, const char *name,
                                    const char *code, tg_err *err)
{
    json_t *config = json_pack("{s:s}", "code", code);
    assert_non_null(config);
    tg_instance *inst = tg_instance_new(vm, "source", name, config, err);
    json_decref(config);
    return inst;
}

static inline tg_instance *mini_instance(tg_vm *vm, const char *name,
                                         const char *code)
{
    tg_err err = {0};
    tg_instance *inst = mini_try(vm, name, code, &err);
    if (!inst)
        fail_msg("no instance: %s\n%s", err.text, err.trace);
    return inst;
}

#endif
