/* What every cmocka test includes, in the order cmocka wants. */
#ifndef TG_TEST_UNIT_H
#define TG_TEST_UNIT_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#define assert_has(text, part)                                                 \
    do {                                                                       \
        if (!strstr(text, part))                                               \
            fail_msg("\"%s\" is not in \"%s\"", part, text);                   \
    } while (0)

#endif
