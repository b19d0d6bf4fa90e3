/*
 * The stream between processes: rubbish never gets through, and whatever is
 * taken out of a stream is written back the same.
 */
#include "base/frame.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(const json_t *msg)
{
    tg_buf out = {0};
    json_t *again;

    tg_frame_encode(&out, msg);
    if (tg_frame_decode(&out, &again, NULL) != 1 || !json_equal(msg, again) ||
        out.len != 0)
        abort();
    json_decref(again);
    tg_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t step = size > 0 ? data[0] % 64 + 1 : 1;
    tg_err err = {0};
    tg_buf in = {0};
    json_t *msg;
    int status = 0;
    size_t i;

    for (i = 1; i < size && status >= 0; i += step) {
        tg_buf_add(&in, data + i, size - i < step ? size - i : step);
        while ((status = tg_frame_decode(&in, &msg, &err)) == 1) {
            round_trip(msg);
            json_decref(msg);
        }
    }
    if (status < 0 && (status != TG_ERR_DATA || !err.text[0]))
        abort();
    tg_buf_fini(&in);
    return 0;
}
