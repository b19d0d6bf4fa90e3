/*
 * Converters that wait for a schema registry ask whether to go on: the folders
 * above this one do not see the registry client. Script thread.
 */
#include "convert/converter.h"
#include "registry/registry.h"

void tg_convert_on_wait(bool (*stopping)(void))
{
    tg_registry_stopping_hook = stopping;
}
