/* Tokens of .proto texts. Any thread. */
#ifndef TG_CONVERT_PROTO_LEX_H
#define TG_CONVERT_PROTO_LEX_H
#include "convert/proto_file.h"

enum {
    TG_TOKEN_END = 0,
    TG_TOKEN_NAME = 1,
    TG_TOKEN_INT = 2,
    TG_TOKEN_REAL = 3,
    TG_TOKEN_STRING = 4 /* others: the character itself */
};

typedef struct tg_proto_lexer {
    tg_proto_file *file;
    const char *p;
    uint32_t line; /* of the token */
    uint32_t at_line;
    int token;
    const char *text; /* of the token; of strings the decoded bytes, arena */
    size_t len;
    uint64_t number; /* of TG_TOKEN_INT */
    int rc; /* the first failure; from then on every token is the end */
    tg_err *err;
} tg_proto_lexer;

/* Appends a text with its C escapes decoded; false when one is unknown. */
bool tg__proto_unescape(tg_buf *out, const char *p);

/* Takes the next token. */
void tg__proto_next(tg_proto_lexer *lex);
/* "protobuf FILE, line N: found X, expected Y". Only the first failure counts;
 * both return it. */
int tg__proto_fail(tg_proto_lexer *lex, const char *expected);
int tg__proto_wrong(tg_proto_lexer *lex, uint32_t line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* True and taken when the token is this character; the name is this word. */
bool tg__proto_take(tg_proto_lexer *lex, int token);
bool tg__proto_is(const tg_proto_lexer *lex, const char *word);

#endif
