/*
 * The parser of .proto texts, proto2 and proto3: what shapes the bytes is kept
 * (packages, messages, enums, fields, oneofs, maps, groups, defaults, packed,
 * map_entry, Confluent's field_meta parameters), the rest is passed over with
 * its syntax checked (services, extensions, reserved, other options).
 *
 * Recursive descent with a depth limit; the lexer remembers the first failure,
 * so that functions return nothing and loops end. Any thread.
 */
#include "convert/proto_lex.h"

typedef struct parser {
    tg_proto_lexer lex;
    uint32_t depth;
} parser;

static void next(parser *p)
{
    tg__proto_next(&p->lex);
}

static bool is(const parser *p, const char *word)
{
    return tg__proto_is(&p->lex, word);
}

static bool take(parser *p, int token)
{
    return tg__proto_take(&p->lex, token);
}

static void expect(parser *p, int token, const char *what)
{
    if (!take(p, token))
        tg__proto_fail(&p->lex, what);
}

static bool ok(const parser *p)
{
    return p->lex.rc == 0;
}

static bool enter(parser *p)
{
    if (++p->depth <= TG_PROTO_DEPTH)
        return true;
    tg__proto_wrong(&p->lex, p->lex.line, "blocks are nested more than %d deep",
                    TG_PROTO_DEPTH);
    return false;
}

static bool kept(parser *p, const void *made)
{
    if (made)
        return true;
    if (!p->lex.rc) {
        p->lex.rc = TG_ERR_LIMIT;
        p->lex.token = TG_TOKEN_END;
    }
    return false;
}

/* --- small parts ---------------------------------------------------------- */

static const char *name(parser *p, const char *what)
{
    if (p->lex.token != TG_TOKEN_NAME) {
        tg__proto_fail(&p->lex, what);
        return "";
    }
    char *text =
        tg__proto_text(p->lex.file->set, p->lex.text, p->lex.len, p->lex.err);
    if (!kept(p, text))
        return "";
    next(p);
    return text;
}

/* a.b.C or .a.b.C */
static const char *full_name(parser *p, const char *what)
{
    tg_buf out = {0};
    if (take(p, '.'))
        tg_buf_str(&out, ".");
    do {
        if (p->lex.token != TG_TOKEN_NAME) {
            tg__proto_fail(&p->lex, what);
            break;
        }
        tg_buf_add(&out, p->lex.text, p->lex.len);
        next(p);
        if (p->lex.token == '.')
            tg_buf_str(&out, ".");
    } while (take(p, '.'));
    char *text = tg__proto_text(p->lex.file->set, out.p, out.len, p->lex.err);
    tg_buf_fini(&out);
    return kept(p, text) ? text : "";
}

static const char *string(parser *p, const char *what)
{
    const char *text = p->lex.text;
    expect(p, TG_TOKEN_STRING, what);
    return ok(p) ? text : "";
}

static int32_t number(parser *p, const char *what, bool sign)
{
    bool minus = sign && take(p, '-');
    uint64_t n = p->lex.number;
    uint32_t line = p->lex.line;
    expect(p, TG_TOKEN_INT, what);
    if (ok(p) && n > (uint64_t)INT32_MAX + minus) {
        tg__proto_wrong(&p->lex, line, "the number %s%llu does not fit",
                        minus ? "-" : "", (unsigned long long)n);
        return 0;
    }
    return minus ? (int32_t)(-(int64_t)n) : (int32_t)n;
}

static bool closing(int token)
{
    return token == '}' || token == ']' || token == ')' || token == '>';
}

/* Passes over a block with its brackets. */
static void skip_block(parser *p)
{
    int open = p->lex.token;
    int close = open == '{' ? '}' : open == '[' ? ']' : open == '(' ? ')' : '>';
    if (!enter(p))
        return;
    next(p);
    while (ok(p) && p->lex.token != close && p->lex.token != TG_TOKEN_END) {
        if (p->lex.token == '{' || p->lex.token == '[' || p->lex.token == '(' ||
            p->lex.token == '<')
            skip_block(p);
        else if (closing(p->lex.token))
            tg__proto_fail(&p->lex, "the matching bracket");
        else
            next(p);
    }
    expect(p, close, "the closing bracket of a block");
    p->depth--;
}

/* Up to the semicolon, blocks included. */
static void skip_statement(parser *p)
{
    while (ok(p) && p->lex.token != ';') {
        if (p->lex.token == '{' || p->lex.token == '[' || p->lex.token == '(')
            skip_block(p);
        else if (p->lex.token == TG_TOKEN_END || closing(p->lex.token))
            tg__proto_fail(&p->lex, "';'");
        else
            next(p);
    }
    next(p);
}

/* --- options -------------------------------------------------------------- */

/* One {key: "...", value: "..."} of field_meta's params. */
static void read_param(parser *p, tg_proto_field *field)
{
    const char *key = "", *value = "";
    expect(p, '{', "'{' of a parameter");
    while (ok(p) && p->lex.token != '}') {
        bool is_key = is(p, "key");
        name(p, "\"key\" or \"value\"");
        take(p, ':');
        const char *text = string(p, "a string");
        *(is_key ? &key : &value) = text;
        if (!take(p, ','))
            take(p, ';');
    }
    expect(p, '}', "'}' of a parameter");
    if (ok(p))
        kept(p, tg__proto_add_param(p->lex.file->set, field, key, value,
                                    p->lex.err)
                    ? NULL
                    : field);
}

static void read_params(parser *p, tg_proto_field *field)
{
    take(p, ':');
    if (!take(p, '[')) {
        read_param(p, field);
        return;
    }
    while (ok(p) && p->lex.token != ']') {
        read_param(p, field);
        if (!take(p, ','))
            break;
    }
    expect(p, ']', "']' behind the parameters");
}

/* A value of a block in an option's text. */
static void skip_value(parser *p)
{
    take(p, ':');
    take(p, '-');
    if (p->lex.token == '{' || p->lex.token == '[' || p->lex.token == '<')
        skip_block(p);
    else if (p->lex.token == TG_TOKEN_STRING || p->lex.token == TG_TOKEN_INT ||
             p->lex.token == TG_TOKEN_REAL || p->lex.token == TG_TOKEN_NAME)
        next(p);
    else
        tg__proto_fail(&p->lex, "a value");
}

/* (confluent.field_meta) = { doc: "...", params: [...] } */
static void read_meta(parser *p, tg_proto_field *field)
{
    if (!enter(p))
        return;
    expect(p, '{', "'{'");
    while (ok(p) && p->lex.token != '}') {
        bool params = is(p, "params");
        if (p->lex.token == '[')
            skip_block(p);
        else
            name(p, "a name");
        if (params)
            read_params(p, field);
        else if (ok(p))
            skip_value(p);
        if (!take(p, ','))
            take(p, ';');
    }
    expect(p, '}', "'}'");
    p->depth--;
}

/* Text of a default: numbers with their sign, names and strings as they are. */
static void read_default(parser *p, tg_proto_field *field)
{
    bool minus = take(p, '-');
    const tg_proto_lexer *lex = &p->lex;
    if (lex->token != TG_TOKEN_INT && lex->token != TG_TOKEN_REAL &&
        lex->token != TG_TOKEN_NAME && lex->token != TG_TOKEN_STRING) {
        tg__proto_fail(&p->lex, "a value as default");
        return;
    }
    tg_buf out = {0};
    if (minus)
        tg_buf_str(&out, "-");
    tg_buf_add(&out, lex->text, lex->len);
    field->dflt = tg__proto_text(lex->file->set, out.p, out.len, lex->err);
    field->dfltlen = (uint32_t)out.len;
    tg_buf_fini(&out);
    if (kept(p, field->dflt))
        next(p);
}

/* Name of an option without its parentheses: "confluent.field_meta". */
static const char *option_name(parser *p)
{
    tg_buf out = {0};
    do {
        bool custom = take(p, '(');
        tg_buf_str(&out, full_name(p, "the name of an option"));
        if (custom)
            expect(p, ')', "')'");
        if (p->lex.token == '.')
            tg_buf_str(&out, ".");
    } while (take(p, '.'));
    const char *text =
        tg__proto_text(p->lex.file->set, out.p, out.len, p->lex.err);
    tg_buf_fini(&out);
    return kept(p, text) ? text : "";
}

static bool is_meta(const char *option, const char *rest)
{
    option += *option == '.';
    size_t n = strlen("confluent.field_meta");
    return strncmp(option, "confluent.field_meta", n) == 0 &&
           strcmp(option + n, rest) == 0;
}

static void field_option(parser *p, tg_proto_field *field)
{
    const char *option = option_name(p);
    expect(p, '=', "'=' behind the name of an option");
    if (!ok(p))
        return;
    if (strcmp(option, "default") == 0) {
        read_default(p, field);
    } else if (strcmp(option, "packed") == 0) {
        field->packed_option = is(p, "true") ? 1 : 2;
        name(p, "true or false");
    } else if (is_meta(option, "")) {
        read_meta(p, field);
    } else if (is_meta(option, ".params")) {
        read_params(p, field);
    } else {
        skip_value(p);
    }
}

static void field_options(parser *p, tg_proto_field *field)
{
    if (!take(p, '['))
        return;
    do
        field_option(p, field);
    while (take(p, ','));
    expect(p, ']', "']' behind the options");
}

/* option x = value; of a block. map_entry is set for the one that matters. */
static void block_option(parser *p, bool *map_entry)
{
    next(p);
    const char *option = option_name(p);
    expect(p, '=', "'=' behind the name of an option");
    if (map_entry && strcmp(option, "map_entry") == 0)
        *map_entry = is(p, "true");
    if (ok(p))
        skip_value(p);
    expect(p, ';', "';'");
}

/* --- fields --------------------------------------------------------------- */

static void message_body(parser *p, tg_proto_message *m);

static void read_number(parser *p, tg_proto_field *field)
{
    expect(p, '=', "'=' and the number of a field");
    uint32_t line = p->lex.line;
    int32_t n = number(p, "the number of a field", false);
    if (ok(p) && (n < 1 || n > TG_PROTO_NUMBER_MAX))
        tg__proto_wrong(&p->lex, line,
                        "field %s has the number %d; numbers are 1 to %d",
                        field->name, n, TG_PROTO_NUMBER_MAX);
    field->number = n;
}

/* A new message below the one that is being read. */
static tg_proto_message *inner(parser *p, tg_proto_message *parent,
                               const char *title)
{
    tg_proto_message *m =
        tg__proto_add_message(p->lex.file, parent, title, p->lex.err);
    if (!kept(p, m))
        return NULL;
    m->line = p->lex.line;
    return m;
}

static tg_proto_field *new_field(parser *p, tg_proto_message *m,
                                 const char *title)
{
    tg_proto_field *f =
        ok(p) ? tg__proto_add_field(m, title, p->lex.err) : NULL;
    if (!f) {
        kept(p, f);
        return NULL;
    }
    f->line = p->lex.line;
    return f;
}

/* "foo_bar" gives "FooBarEntry". */
static const char *entry_name(parser *p, const char *field)
{
    tg_buf out = {0};
    bool upper = true;
    for (; *field; field++) {
        char c = *field;
        if (c == '_') {
            upper = true;
            continue;
        }
        if (upper && c >= 'a' && c <= 'z')
            c -= 32;
        upper = false;
        tg_buf_add(&out, &c, 1);
    }
    tg_buf_str(&out, "Entry");
    const char *text =
        tg__proto_text(p->lex.file->set, out.p, out.len, p->lex.err);
    tg_buf_fini(&out);
    return kept(p, text) ? text : "";
}

static void entry_field(parser *p, tg_proto_message *entry, const char *title,
                        int32_t at, const char *type)
{
    tg_proto_field *f = new_field(p, entry, title);
    if (!f)
        return;
    f->number = at;
    f->type = (uint8_t)tg__proto_scalar(type, strlen(type));
    f->type_name = type;
}

/* map<K, V> name = n; behind the word map */
static void map_field(parser *p, tg_proto_message *m)
{
    expect(p, '<', "'<' of a map");
    uint32_t line = p->lex.line;
    const char *key = full_name(p, "the type of a map's keys");
    expect(p, ',', "',' of a map");
    const char *value = full_name(p, "the type of a map's values");
    expect(p, '>', "'>' of a map");
    int type = tg__proto_scalar(key, strlen(key));
    if (ok(p) && (!type || type == TG_PROTO_DOUBLE || type == TG_PROTO_FLOAT ||
                  type == TG_PROTO_BYTES))
        tg__proto_wrong(&p->lex, line,
                        "keys of a map are integers, bool or string, not %s",
                        key);
    const char *title = name(p, "the name of a field");
    tg_proto_field *f = new_field(p, m, title);
    const char *entry = f ? entry_name(p, title) : NULL;
    tg_proto_message *e = f && ok(p) ? inner(p, m, entry) : NULL;
    if (!e)
        return;
    e->implied = e->map_entry = true;
    entry_field(p, e, "key", 1, key);
    entry_field(p, e, "value", 2, value);
    f->type = TG_PROTO_MESSAGE;
    f->label = TG_PROTO_REPEATED;
    f->type_name = entry;
    f->message = e;
    read_number(p, f);
    field_options(p, f);
    expect(p, ';', "';'");
}

/* group Name = n { ... } behind the word group */
static void group_field(parser *p, tg_proto_message *m, int label,
                        int32_t oneof)
{
    const char *title = name(p, "the name of a group");
    char *lower = tg_strdup(title);
    for (char *c = lower; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c += 32;
    const char *own =
        tg__proto_text(p->lex.file->set, lower, strlen(lower), p->lex.err);
    tg_free(lower);
    if (!kept(p, own))
        return;
    tg_proto_field *f = new_field(p, m, own);
    tg_proto_message *g = f ? inner(p, m, title) : NULL;
    if (!g)
        return;
    f->type = TG_PROTO_GROUP;
    f->label = (uint8_t)label;
    f->oneof = oneof;
    f->type_name = title;
    f->message = g;
    read_number(p, f);
    field_options(p, f);
    message_body(p, g);
}

static void plain_field(parser *p, tg_proto_message *m, int label,
                        int32_t oneof)
{
    const char *type = full_name(p, "the type of a field");
    if (strcmp(type, "group") == 0 && p->lex.token == TG_TOKEN_NAME) {
        group_field(p, m, label, oneof);
        return;
    }
    if (strcmp(type, "map") == 0 && p->lex.token == '<') {
        if (label || oneof >= 0)
            tg__proto_wrong(&p->lex, p->lex.line,
                            "a map has no label and is not part of a oneof");
        map_field(p, m);
        return;
    }
    tg_proto_field *f = new_field(p, m, name(p, "the name of a field"));
    if (!f)
        return;
    f->label = (uint8_t)label;
    f->oneof = oneof;
    f->presence = !m->file->proto2 && label == TG_PROTO_OPTIONAL;
    f->type = (uint8_t)tg__proto_scalar(type, strlen(type));
    f->type_name = type;
    read_number(p, f);
    field_options(p, f);
    expect(p, ';', "';'");
}

static void oneof_block(parser *p, tg_proto_message *m)
{
    next(p);
    const char *title = name(p, "the name of a oneof");
    int32_t at = ok(p) ? tg__proto_add_oneof(m, title, p->lex.err) : 0;
    if (at < 0)
        kept(p, NULL);
    expect(p, '{', "'{' of a oneof");
    while (ok(p) && p->lex.token != '}') {
        if (is(p, "option"))
            block_option(p, NULL);
        else if (!take(p, ';'))
            plain_field(p, m, TG_PROTO_PLAIN, at);
    }
    expect(p, '}', "'}' of a oneof");
}

/* --- enums ---------------------------------------------------------------- */

static void enum_block(parser *p, tg_proto_message *parent)
{
    next(p);
    uint32_t line = p->lex.line;
    const char *title = name(p, "the name of an enum");
    tg_proto_enum *e =
        ok(p) ? tg__proto_add_enum(p->lex.file, parent, title, p->lex.err)
              : NULL;
    if (!kept(p, e))
        return;
    e->line = line;
    expect(p, '{', "'{' of an enum");
    while (ok(p) && p->lex.token != '}') {
        if (is(p, "option")) {
            block_option(p, NULL);
        } else if (is(p, "reserved")) {
            skip_statement(p);
        } else if (!take(p, ';')) {
            const char *constant = name(p, "the name of a constant");
            expect(p, '=', "'=' and the number of a constant");
            int32_t n = number(p, "the number of a constant", true);
            if (p->lex.token == '[')
                skip_block(p);
            expect(p, ';', "';'");
            if (ok(p) && tg__proto_add_constant(e, constant, n, p->lex.err))
                kept(p, NULL);
        }
    }
    expect(p, '}', "'}' of an enum");
}

/* --- messages ------------------------------------------------------------- */

static int label_of(const parser *p)
{
    return is(p, "optional")   ? TG_PROTO_OPTIONAL
           : is(p, "required") ? TG_PROTO_REQUIRED
           : is(p, "repeated") ? TG_PROTO_REPEATED
                               : TG_PROTO_PLAIN;
}

static void message_block(parser *p, tg_proto_message *parent)
{
    next(p);
    const char *title = name(p, "the name of a message");
    tg_proto_message *m = ok(p) ? inner(p, parent, title) : NULL;
    if (m)
        message_body(p, m);
}

static void extend_block(parser *p)
{
    next(p);
    full_name(p, "the message that is extended");
    if (p->lex.token == '{')
        skip_block(p);
    else
        tg__proto_fail(&p->lex, "'{'");
}

static void member(parser *p, tg_proto_message *m)
{
    if (is(p, "message")) {
        message_block(p, m);
    } else if (is(p, "enum")) {
        enum_block(p, m);
    } else if (is(p, "oneof")) {
        oneof_block(p, m);
    } else if (is(p, "extend")) {
        extend_block(p);
    } else if (is(p, "reserved") || is(p, "extensions")) {
        skip_statement(p);
    } else if (is(p, "option")) {
        block_option(p, &m->map_entry);
    } else if (!take(p, ';')) {
        int label = label_of(p);
        uint32_t line = p->lex.line;
        if (label)
            next(p);
        if (m->file->proto2 && !label && !is(p, "map"))
            tg__proto_wrong(&p->lex, line,
                            "a field needs optional, required or repeated in"
                            " proto2");
        if (!m->file->proto2 && label == TG_PROTO_REQUIRED)
            tg__proto_wrong(&p->lex, line, "proto3 has no required fields");
        plain_field(p, m, label, -1);
    }
}

static void message_body(parser *p, tg_proto_message *m)
{
    if (!enter(p))
        return;
    expect(p, '{', "'{' of a message");
    while (ok(p) && p->lex.token != '}')
        member(p, m);
    expect(p, '}', "'}' of a message");
    p->depth--;
}

/* --- files ---------------------------------------------------------------- */

static void read_syntax(parser *p)
{
    bool edition = is(p, "edition");
    next(p);
    expect(p, '=', "'='");
    uint32_t line = p->lex.line;
    const char *text = string(p, "\"proto2\" or \"proto3\"");
    if (!ok(p))
        return;
    if (edition || (strcmp(text, "proto2") != 0 && strcmp(text, "proto3") != 0))
        tg__proto_wrong(&p->lex, line,
                        "%s \"%s\" is not supported; supported are proto2 and"
                        " proto3",
                        edition ? "edition" : "syntax", text);
    p->lex.file->proto2 = strcmp(text, "proto2") == 0;
    expect(p, ';', "';'");
}

static void read_import(parser *p)
{
    next(p);
    bool open = is(p, "public"), weak = is(p, "weak");
    if (open || weak)
        next(p);
    const char *file = string(p, "the name of a file");
    tg_proto_import *im =
        ok(p) ? tg__proto_add_import(p->lex.file, file, p->lex.err) : NULL;
    if (!kept(p, im))
        return;
    im->is_public = open;
    im->weak = weak;
    expect(p, ';', "';'");
}

static void statement(parser *p)
{
    if (is(p, "syntax") || is(p, "edition")) {
        read_syntax(p);
    } else if (is(p, "package")) {
        next(p);
        p->lex.file->package = full_name(p, "the name of a package");
        expect(p, ';', "';'");
    } else if (is(p, "import")) {
        read_import(p);
    } else if (is(p, "option")) {
        block_option(p, NULL);
    } else if (is(p, "message")) {
        message_block(p, NULL);
    } else if (is(p, "enum")) {
        enum_block(p, NULL);
    } else if (is(p, "extend")) {
        extend_block(p);
    } else if (is(p, "service")) {
        next(p);
        name(p, "the name of a service");
        if (p->lex.token == '{')
            skip_block(p);
        else
            tg__proto_fail(&p->lex, "'{'");
    } else if (!take(p, ';')) {
        tg__proto_fail(&p->lex, "syntax, package, import, option, message,"
                                " enum, extend or service");
    }
}

int tg__proto_parse(tg_proto_file *file, const char *text, tg_err *err)
{
    parser p = {.lex = {.file = file, .p = text, .at_line = 1, .err = err}};
    if (strncmp(text, "\xef\xbb\xbf", 3) == 0)
        p.lex.p += 3;
    file->proto2 = true; /* until it says otherwise */
    next(&p);
    while (ok(&p) && p.lex.token != TG_TOKEN_END)
        statement(&p);
    return p.lex.rc;
}
