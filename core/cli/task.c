/* tidegate task: the process of one task or plan, started by the supervisor. */
#include "cli/cli.h"
#include "task/child.h"

int tg_cmd_task(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return tg_task_main();
}
