/*
 * The commands of the tidegate binary: each is one file. argv[0] is the name of
 * the command. The result is the exit status of the process.
 */
#ifndef TG_CLI_CLI_H
#define TG_CLI_CLI_H

int tg_cmd_standalone(int argc, char **argv);
int tg_cmd_task(int argc, char **argv);
int tg_cmd_broker(int argc, char **argv);
int tg_cmd_consume(int argc, char **argv);
int tg_cmd_produce(int argc, char **argv);
int tg_cmd_try(int argc, char **argv);
int tg_cmd_check(int argc, char **argv);
int tg_cmd_new(int argc, char **argv);
int tg_cmd_docs(int argc, char **argv);

#endif
