/*
 * tidegate COMMAND: one binary for the worker, its children and the small
 * tools. Called as connect-standalone it is `tidegate standalone`.
 */
#include "cli/cli.h"
#include "base/config.h"
#include "kafka/client.h"

#include <stdio.h>
#include <string.h>

static int help(int argc, char **argv);
static int version(int argc, char **argv);
static const struct command *find(const char *name);
static int unknown(const char *name);

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary; /* NULL: not for people */
} commands[] = {
    {"standalone", tg_cmd_standalone,
     "run a worker with the connectors of some files"},
    {"try", tg_cmd_try, "show what converters and transforms make of records"},
    {"check", tg_cmd_check, "check configurations and plugins"},
    {"new", tg_cmd_new, "write the files of a new plugin"},
    {"consume", tg_cmd_consume, "print the records of a topic"},
    {"produce", tg_cmd_produce, "send lines to a topic"},
    {"version", version, "print the version"},
    {"help", help, "print this, or more about a command"},
    {"docs", tg_cmd_docs, NULL},
    {"task", tg_cmd_task, NULL},
    {"broker", tg_cmd_broker, NULL},
};

enum { COMMANDS = sizeof commands / sizeof *commands };

static int help(int argc, char **argv)
{
    static char more[] = "--help";

    if (argc > 1) {
        const struct command *command = find(argv[1]);
        if (!command || command->run == help || command->run == version)
            return command ? help(1, argv) : unknown(argv[1]);
        return command->run(2, (char *[]){argv[1], more, NULL});
    }
    puts("tidegate moves records between Kafka and everything else.\n"
         "\n"
         "Usage: tidegate COMMAND [ARGUMENTS]\n");
    for (int i = 0; i < COMMANDS; i++)
        if (commands[i].summary)
            printf("  %-12s %s\n", commands[i].name, commands[i].summary);
    puts("\n`tidegate COMMAND --help` says more. To begin without Kafka:\n"
         "  tidegate standalone config/connect-standalone-embedded.properties "
         "\\\n"
         "      config/connect-file-source.properties "
         "config/connect-file-sink.properties");
    return 0;
}

static int version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("tidegate " TG_VERSION " (Kafka Connect 4.1.1 API, librdkafka %s)\n",
           tg_kafka_version());
    return 0;
}

static const struct command *find(const char *name)
{
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return find("help");
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        return find("version");
    return NULL;
}

static int unknown(const char *name)
{
    json_t *names = json_array();
    for (int i = 0; i < COMMANDS; i++)
        if (commands[i].summary)
            json_array_append_new(names, json_string(commands[i].name));
    const char *near = tg_nearest(name, names);
    fprintf(stderr, "tidegate: there is no command %s", name);
    if (near)
        fprintf(stderr, "; did you mean %s?", near);
    fputs("\nTry `tidegate help`.\n", stderr);
    json_decref(names);
    return 1;
}

int main(int argc, char **argv)
{
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *called = slash ? slash + 1 : argc > 0 ? argv[0] : "";
    if (strncmp(called, "connect-standalone", 18) == 0)
        return tg_cmd_standalone(argc, argv);
    if (argc < 2)
        return help(argc, argv);
    const struct command *command = find(argv[1]);
    return command ? command->run(argc - 1, argv + 1) : unknown(argv[1]);
}
