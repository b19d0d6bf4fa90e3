/* JSON that the tools print. Any thread; no state. */
#include "cli/json_out.h"
#include "convert/base64.h"

/* Length of the UTF-8 character at p, 0 when it is none. */
static int utf8_length(const unsigned char *p, size_t n)
{
    int len = p[0] < 0x80   ? 1
              : p[0] < 0xC2 ? 0
              : p[0] < 0xE0 ? 2
              : p[0] < 0xF0 ? 3
              : p[0] < 0xF5 ? 4
                            : 0;

    if (!len || (size_t)len > n)
        return 0;
    for (int i = 1; i < len; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) ||
        (p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F))
        return 0;
    return len;
}

bool tg__out_utf8(const char *p, size_t n)
{
    int len;

    for (; n > 0; p += len, n -= (size_t)len)
        if (!(len = utf8_length((const unsigned char *)p, n)))
            return false;
    return true;
}

void tg__out_text(tg_buf *out, const char *p, size_t n)
{
    size_t from = 0;

    tg_buf_str(out, "\"");
    for (size_t i = 0; i < n; i++) {
        unsigned char ch = (unsigned char)p[i];

        if (ch >= 0x20 && ch != '"' && ch != '\\')
            continue;
        tg_buf_add(out, p + from, i - from);
        from = i + 1;
        if (ch == '"' || ch == '\\')
            tg_buf_printf(out, "\\%c", ch);
        else
            tg_buf_printf(out, "\\u%04x", ch);
    }
    tg_buf_add(out, p + from, n - from);
    tg_buf_str(out, "\"");
}

void tg__out_base64(tg_buf *out, const char *p, size_t n)
{
    size_t size = tg_base64_size(n);

    tg_buf_str(out, "\"");
    tg_base64_encode(tg_buf_room(out, size), p, n);
    out->len += size;
    tg_buf_str(out, "\"");
}
