/* SHA-256 against the examples of FIPS 180-4 and lengths around a block. */
#include "unit.h"
#include "base/sha256.h"
#include "base/texts.h"

static void check(const char *text, size_t len, const char *want)
{
    tg_sha256 sha;
    char hex[TG_SHA256_HEX];

    tg_sha256_init(&sha);
    for (size_t i = 0; i < len; i += 7) /* in pieces */
        tg_sha256_add(&sha, text + i, len - i < 7 ? len - i : 7);
    tg_sha256_hex(&sha, hex);
    assert_string_equal(hex, want);
}

static void test_examples(void **state)
{
    static char a[120];
    (void)state;
    memset(a, 'a', sizeof a);
    check("", 0,
          "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    check("abc", 3,
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    check(a, 55,
          "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318");
    check(a, 64,
          "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb");
    check(a, 119,
          "31eba51c313a5c08226adf18d4a359cfdfd8d2e816b13f4af952f7ea6584dcfb");
}

static void test_texts(void **state)
{
    tg_texts texts = {0}, more = {0};
    char hex[TG_SHA256_HEX];
    (void)state;
    tg_texts_add(&texts, "a", "ab", 2);
    tg_texts_add(&texts, "a", "other", 5); /* it is there */
    tg_texts_add(&more, "b", "c\0", 1);
    tg_texts_join(&texts, &more);
    assert_int_equal(texts.n, 2);
    assert_string_equal(tg_texts_find(&texts, "a")->text, "ab");
    assert_null(tg_texts_find(&texts, "c"));
    tg_texts_hash(&texts, hex);
    assert_string_equal(
        hex,
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_false(tg_text_hash_file("/nonexistent", hex));
    tg_texts_fini(&texts);
    tg_texts_fini(&more);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
