// SPDX-License-Identifier: Apache-2.0
//
// Client certificates: chains, times, purposes, CRLs; and names, of which only whole ones count.
#include "auth/certificate.h"

#include <openssl/err.h>
#include <stdlib.h>

#include "auth/certificate_fixture.h"
#include "suites.h"

static struct identity root, other_root, same_name_root, issuing, leaf;
static char *ca_file, *crl_file;
static char errstr[256];

static void setup_cas(void)
{
    root = identity_make(&(struct certificate_wish){.name = "Root", .ca = true});
    other_root = identity_make(&(struct certificate_wish){.name = "Other", .ca = true});
    same_name_root = identity_make(&(struct certificate_wish){.name = "Root", .ca = true});
    issuing = identity_make(
        &(struct certificate_wish){.name = "Issuing", .ca = true, .issuer = &root, .serial = 7});
    leaf = identity_make(&(struct certificate_wish){.name = "leaf", .issuer = &root, .serial = 42});
    ca_file = file_make();
    crl_file = file_make();
    errstr[0] = '\0';
}

static void teardown_cas(void)
{
    identity_free(&root);
    identity_free(&other_root);
    identity_free(&same_name_root);
    identity_free(&issuing);
    identity_free(&leaf);
    file_remove(ca_file);
    file_remove(crl_file);
}

static X509_STORE *load(const char *ca, const char *crl)
{
    X509_STORE *store = certificate_store_load(ca, crl, errstr, sizeof errstr);
    ck_assert_msg(store != NULL, "%s", errstr);
    return store;
}

/* "allow", or the reason; the store is freed. */
static const char *judge_with(X509_STORE *store, const struct identity *who, const struct identity *between)
{
    const char *reason = NULL, *detail = NULL;
    STACK_OF(X509) *chain = sk_X509_new_null();
    if (between != NULL)
        sk_X509_push(chain, between->certificate);
    enum auth_verdict verdict = certificate_judge(store, who->certificate, chain, &reason, &detail);
    sk_X509_free(chain);
    X509_STORE_free(store);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    if (verdict == AUTH_ALLOW)
        return "allow";
    ck_assert_ptr_nonnull(reason);
    ck_assert_ptr_nonnull(detail);
    ck_assert(verdict == (strcmp(reason, "crl_unusable") == 0 ? AUTH_UNAVAILABLE : AUTH_DENY));
    return reason;
}

/* Against the root alone. */
static const char *judge(const struct certificate_wish *wish)
{
    struct identity who = identity_make(wish);
    char *path = file_make();
    file_add_certificate(path, root.certificate);
    const char *result = judge_with(load(path, NULL), &who, NULL);
    file_remove(path);
    identity_free(&who);
    return result;
}

/* --- chains --- */

START_TEST(a_certificate_of_the_ca_is_good)
{
    ck_assert_str_eq(judge(&(struct certificate_wish){.name = "a", .issuer = &root}), "allow");
    ck_assert_str_eq(judge(&(struct certificate_wish){.name = "a", .issuer = &root, .purpose = "clientAuth"}),
                     "allow");
    ck_assert_str_eq(
        judge(&(struct certificate_wish){
            .name = "a", .issuer = &root, .purpose = "serverAuth,clientAuth", .names = "DNS:a.example"}),
        "allow");
}
END_TEST

START_TEST(others_are_bad)
{
    ck_assert_str_eq(judge(&(struct certificate_wish){.name = "a", .issuer = &other_root}),
                     "bad_certificate");
    ck_assert_str_eq(judge(&(struct certificate_wish){.name = "a", .issuer = &same_name_root}),
                     "bad_certificate");
    ck_assert_str_eq(judge(&(struct certificate_wish){.name = "a"}), "bad_certificate");
    ck_assert_str_eq(judge(&(struct certificate_wish){.name = "Root", .ca = true}), "bad_certificate");
    /* Signed by a leaf. */
    ck_assert_str_eq(judge(&(struct certificate_wish){.name = "a", .issuer = &leaf}), "bad_certificate");
    ck_assert_str_eq(judge(&(struct certificate_wish){.name = "a", .issuer = &root, .purpose = "serverAuth"}),
                     "bad_certificate");
    ck_assert_str_eq(judge(&(struct certificate_wish){.name = "a", .issuer = &root, .key_type = "RSA-1024"}),
                     "bad_certificate");
    ck_assert_str_eq(judge(&(struct certificate_wish){.name = "a", .issuer = &root, .digest = EVP_sha1()}),
                     "bad_certificate");
}
END_TEST

START_TEST(times_count)
{
    ck_assert_str_eq(
        judge(&(struct certificate_wish){.name = "a", .issuer = &root, .from_s = -2 * DAY_S, .to_s = -DAY_S}),
        "certificate_expired");
    ck_assert_str_eq(
        judge(&(struct certificate_wish){.name = "a", .issuer = &root, .from_s = 3600, .to_s = DAY_S}),
        "certificate_expired");
}
END_TEST

START_TEST(an_intermediate_is_shown_or_pinned)
{
    struct identity who = identity_make(&(struct certificate_wish){.name = "a", .issuer = &issuing});
    file_add_certificate(ca_file, root.certificate);
    ck_assert_str_eq(judge_with(load(ca_file, NULL), &who, &issuing), "allow");
    ck_assert_str_eq(judge_with(load(ca_file, NULL), &who, NULL), "bad_certificate");
    ck_assert_str_eq(judge_with(load(ca_file, NULL), &who, &other_root), "bad_certificate");

    /* Pinned: those of the root's other children are not let in. */
    char *pinned = file_make();
    file_add_certificate(pinned, issuing.certificate);
    ck_assert_str_eq(judge_with(load(pinned, NULL), &who, NULL), "allow");
    ck_assert_str_eq(judge_with(load(pinned, NULL), &leaf, NULL), "bad_certificate");
    ck_assert_str_eq(judge_with(load(pinned, NULL), &leaf, &root), "bad_certificate");
    file_remove(pinned);

    /* One that is no CA makes none. */
    struct identity child = identity_make(&(struct certificate_wish){.name = "b", .issuer = &leaf});
    ck_assert_str_eq(judge_with(load(ca_file, NULL), &child, &leaf), "bad_certificate");
    identity_free(&child);
    identity_free(&who);
}
END_TEST

START_TEST(every_certificate_of_the_file_is_trusted)
{
    struct identity who = identity_make(&(struct certificate_wish){.name = "a", .issuer = &other_root});
    file_add_text(ca_file, "# the first one\n");
    file_add_certificate(ca_file, root.certificate);
    file_add_text(ca_file, "# the second one, twice\n");
    file_add_certificate(ca_file, other_root.certificate);
    file_add_certificate(ca_file, other_root.certificate);
    ck_assert_str_eq(judge_with(load(ca_file, NULL), &leaf, NULL), "allow");
    ck_assert_str_eq(judge_with(load(ca_file, NULL), &who, NULL), "allow");
    identity_free(&who);
}
END_TEST

/* --- CRLs --- */

START_TEST(a_revoked_certificate_is_refused)
{
    file_add_certificate(ca_file, root.certificate);
    file_add_crl(crl_file, crl_make(&root, 42, -3600, DAY_S));
    ck_assert_str_eq(judge_with(load(ca_file, crl_file), &leaf, NULL), "certificate_revoked");
    ck_assert_str_eq(judge_with(load(ca_file, NULL), &leaf, NULL), "allow");

    struct identity who =
        identity_make(&(struct certificate_wish){.name = "a", .issuer = &root, .serial = 43});
    ck_assert_str_eq(judge_with(load(ca_file, crl_file), &who, NULL), "allow");
    identity_free(&who);
}
END_TEST

START_TEST(a_crl_out_of_date_refuses_nobody_for_good)
{
    static const long times[][2] = {{-2 * DAY_S, -DAY_S}, {3600, DAY_S}};
    file_add_certificate(ca_file, root.certificate);
    for (size_t i = 0; i < 2; i++) {
        char *path = file_make();
        file_add_crl(path, crl_make(&root, 99, times[i][0], times[i][1]));
        ck_assert_str_eq(judge_with(load(ca_file, path), &leaf, NULL), "crl_unusable");

        /* But what is bad without it is bad. */
        struct identity old = identity_make(
            &(struct certificate_wish){.name = "a", .issuer = &root, .from_s = -2 * DAY_S, .to_s = -DAY_S});
        struct identity forged =
            identity_make(&(struct certificate_wish){.name = "a", .issuer = &same_name_root});
        struct identity revoked =
            identity_make(&(struct certificate_wish){.name = "a", .issuer = &root, .serial = 99});
        ck_assert_str_eq(judge_with(load(ca_file, path), &old, NULL), "certificate_expired");
        ck_assert_str_eq(judge_with(load(ca_file, path), &forged, NULL), "bad_certificate");
        ck_assert_str_eq(judge_with(load(ca_file, path), &revoked, NULL), "certificate_revoked");
        identity_free(&old);
        identity_free(&forged);
        identity_free(&revoked);
        file_remove(path);
    }
}
END_TEST

START_TEST(the_crl_must_be_of_the_issuer)
{
    file_add_certificate(ca_file, root.certificate);
    file_add_certificate(ca_file, other_root.certificate);
    file_add_crl(crl_file, crl_make(&other_root, 42, -3600, DAY_S));
    ck_assert_str_eq(judge_with(load(ca_file, crl_file), &leaf, NULL), "crl_unusable");
    file_add_crl(crl_file, crl_make(&root, 0, -3600, DAY_S));
    ck_assert_str_eq(judge_with(load(ca_file, crl_file), &leaf, NULL), "allow");
}
END_TEST

START_TEST(crls_above_the_leaf_count_when_they_are_there)
{
    struct identity who = identity_make(&(struct certificate_wish){.name = "a", .issuer = &issuing});
    file_add_certificate(ca_file, root.certificate);
    file_add_certificate(ca_file, issuing.certificate);
    file_add_crl(crl_file, crl_make(&issuing, 0, -3600, DAY_S));
    ck_assert_str_eq(judge_with(load(ca_file, crl_file), &who, NULL), "allow");

    /* It is trusted as it stands in the file, and so never looked up in its issuer's CRL unless the chain
     * goes on to the root, as it does here. */
    file_add_crl(crl_file, crl_make(&root, 7, -3600, DAY_S));
    ck_assert_str_eq(judge_with(load(ca_file, crl_file), &who, NULL), "certificate_revoked");
    identity_free(&who);
}
END_TEST

/* --- files --- */

static void refuse_to_load(const char *ca, const char *crl, const char *path, const char *words)
{
    char expected[256];
    snprintf(expected, sizeof expected, "%s: %s", path, words);
    ck_assert_ptr_null(certificate_store_load(ca, crl, errstr, sizeof errstr));
    ck_assert_str_eq(errstr, expected);
    ck_assert_uint_eq(ERR_peek_error(), 0);
}

START_TEST(files_that_are_no_use_are_named)
{
    static const char broken[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    static const char cut_off[] = "-----BEGIN X509 CRL-----\nAAAA\n";

    refuse_to_load("/nowhere/ca.pem", NULL, "/nowhere/ca.pem", "cannot be read");
    refuse_to_load(ca_file, NULL, ca_file, "has no certificate in PEM");
    file_add_text(ca_file, "nothing to see\n");
    refuse_to_load(ca_file, NULL, ca_file, "has no certificate in PEM");
    file_add_certificate(ca_file, root.certificate);

    refuse_to_load(ca_file, "/nowhere/crl.pem", "/nowhere/crl.pem", "cannot be read");
    refuse_to_load(ca_file, crl_file, crl_file, "has no CRL in PEM");
    file_add_crl(crl_file, crl_make(&root, 0, -3600, DAY_S));
    X509_STORE_free(load(ca_file, crl_file));
    file_add_text(crl_file, cut_off);
    refuse_to_load(ca_file, crl_file, crl_file, "has a CRL that cannot be read");

    file_add_text(ca_file, broken);
    refuse_to_load(ca_file, NULL, ca_file, "has a certificate that cannot be read");
}
END_TEST

START_TEST(a_crl_of_no_ca_is_an_error)
{
    const struct identity *const strangers[] = {&other_root, &same_name_root};
    file_add_certificate(ca_file, root.certificate);
    for (size_t i = 0; i < 2; i++) {
        char *path = file_make();
        file_add_crl(path, crl_make(&root, 0, -3600, DAY_S));
        file_add_crl(path, crl_make(strangers[i], 0, -3600, DAY_S));
        refuse_to_load(ca_file, path, path, "has a CRL that none of the CAs has signed");
        file_remove(path);
    }
}
END_TEST

/* --- names --- */

static char dns_name[] = "hooks.Example.com";
static char uri_name[] = "spiffe://example.com/Sender";
static char cn_name[] = "sender";
static char *names[] = {dns_name, uri_name, cn_name};

static bool has_name(X509 *certificate)
{
    bool no_memory = true;
    bool found = certificate_has_name(certificate, names, 3, &no_memory);
    ck_assert(!no_memory);
    return found;
}

static bool named(const char *common_name, const char *alternatives)
{
    struct identity who =
        identity_make(&(struct certificate_wish){.name = common_name, .names = alternatives});
    bool found = has_name(who.certificate);
    identity_free(&who);
    return found;
}

START_TEST(alternative_names_are_compared_whole)
{
    static const char *const good[] = {
        "DNS:hooks.Example.com",
        "DNS:HOOKS.example.COM",
        "URI:spiffe://example.com/Sender",
        "DNS:sender",
        "IP:10.0.0.1,DNS:a.example,DNS:hooks.example.com",
    };
    static const char *const bad[] = {
        "DNS:*.example.com",
        "DNS:hooks.example.com.",
        "DNS:a.hooks.example.com",
        "DNS:ooks.example.com",
        "DNS:hooks.example.co",
        "URI:spiffe://example.com/sender",
        "URI:spiffe://Example.com/Sender",
        "URI:hooks.Example.co",
        "email:hooks.Example.com",
        "otherName:1.2.3.4;UTF8:hooks.Example.com",
        "RID:1.2.3.4",
        "IP:10.0.0.1",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        ck_assert_msg(named("other", good[i]), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!named("other", bad[i]), "%s", bad[i]);
}
END_TEST

START_TEST(the_common_name_counts_only_where_there_is_no_other)
{
    ck_assert(named("sender", NULL));
    ck_assert(named("hooks.Example.com", NULL));
    ck_assert(!named("Sender", NULL));
    ck_assert(!named("hooks.example.com", NULL));
    ck_assert(!named("sender ", NULL));
    ck_assert(!named("*", NULL));
    ck_assert(!named(NULL, NULL));
    ck_assert(!named("sender", "DNS:a.example"));
    ck_assert(!named("sender", "IP:10.0.0.1"));
    ck_assert(!named("sender", "email:a@example.com"));
}
END_TEST

static bool with_common_names(const char *first, const char *last, int type, int length)
{
    struct identity who = identity_make(&(struct certificate_wish){.name = NULL});
    X509_NAME *subject = X509_get_subject_name(who.certificate);
    if (first != NULL)
        X509_NAME_add_entry_by_NID(subject, NID_commonName, V_ASN1_UTF8STRING, (const unsigned char *)first,
                                   -1, -1, 0);
    X509_NAME_add_entry_by_NID(subject, NID_commonName, type, (const unsigned char *)last, length, -1, 0);
    bool found = has_name(who.certificate);
    identity_free(&who);
    return found;
}

START_TEST(the_last_common_name_is_the_one)
{
    ck_assert(with_common_names("other", "sender", V_ASN1_UTF8STRING, -1));
    ck_assert(!with_common_names("sender", "other", V_ASN1_UTF8STRING, -1));
    ck_assert(with_common_names(NULL, "sender", V_ASN1_PRINTABLESTRING, -1));
    ck_assert(!with_common_names(NULL, "sender", V_ASN1_T61STRING, -1));
    ck_assert(!with_common_names(NULL, "s\0e\0n\0d\0e\0r\0", V_ASN1_BMPSTRING, 12));
    ck_assert(!with_common_names(NULL, "sender\0.evil.example", V_ASN1_UTF8STRING, 20));
    ck_assert(!with_common_names(NULL, "", V_ASN1_UTF8STRING, 0));
}
END_TEST

/* Of one type and these bytes. */
static bool with_alternative(int type, const char *bytes, int length)
{
    struct identity who = identity_make(&(struct certificate_wish){.name = "sender"});
    GENERAL_NAMES *alternatives = sk_GENERAL_NAME_new_null();
    if (bytes != NULL) {
        GENERAL_NAME *name = GENERAL_NAME_new();
        ASN1_IA5STRING *value = ASN1_IA5STRING_new();
        ASN1_STRING_set(value, bytes, length);
        GENERAL_NAME_set0_value(name, type, value);
        sk_GENERAL_NAME_push(alternatives, name);
    }
    ck_assert_int_eq(X509_add1_ext_i2d(who.certificate, NID_subject_alt_name, alternatives, 0, 0), 1);
    GENERAL_NAMES_free(alternatives);
    bool found = has_name(who.certificate);
    identity_free(&who);
    return found;
}

START_TEST(a_nul_inside_matches_nothing)
{
    ck_assert(with_alternative(GEN_DNS, "hooks.example.com", 17));
    ck_assert(!with_alternative(GEN_DNS, "hooks.example.com\0", 18));
    ck_assert(!with_alternative(GEN_DNS, "hooks.example.com\0.evil.example", 31));
    ck_assert(!with_alternative(GEN_DNS, "hooks\0example.com", 17));
    ck_assert(!with_alternative(GEN_URI, "spiffe://example.com/Sender\0x", 29));
    ck_assert(!with_alternative(GEN_DNS, "", 0));
    /* A list without a name in it is a list all the same. */
    ck_assert(!with_alternative(GEN_DNS, NULL, 0));
}
END_TEST

START_TEST(broken_alternative_names_match_nothing)
{
    struct identity who = identity_make(&(struct certificate_wish){.name = "sender"});
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    ASN1_OCTET_STRING_set(value, (const unsigned char *)"\x30\x05zz", 4);
    X509_EXTENSION *extension = X509_EXTENSION_create_by_NID(NULL, NID_subject_alt_name, 0, value);
    X509_add_ext(who.certificate, extension, -1);
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
    ck_assert(!has_name(who.certificate));
    identity_free(&who);
}
END_TEST

Suite *suite_certificate(void)
{
    Suite *suite = suite_create("certificate");
    TCase *tcase = tcase_create("certificates");
    tcase_add_checked_fixture(tcase, setup_cas, teardown_cas);
    tcase_add_test(tcase, a_certificate_of_the_ca_is_good);
    tcase_add_test(tcase, others_are_bad);
    tcase_add_test(tcase, times_count);
    tcase_add_test(tcase, an_intermediate_is_shown_or_pinned);
    tcase_add_test(tcase, every_certificate_of_the_file_is_trusted);
    tcase_add_test(tcase, a_revoked_certificate_is_refused);
    tcase_add_test(tcase, a_crl_out_of_date_refuses_nobody_for_good);
    tcase_add_test(tcase, the_crl_must_be_of_the_issuer);
    tcase_add_test(tcase, crls_above_the_leaf_count_when_they_are_there);
    tcase_add_test(tcase, files_that_are_no_use_are_named);
    tcase_add_test(tcase, a_crl_of_no_ca_is_an_error);
    tcase_add_test(tcase, alternative_names_are_compared_whole);
    tcase_add_test(tcase, the_common_name_counts_only_where_there_is_no_other);
    tcase_add_test(tcase, the_last_common_name_is_the_one);
    tcase_add_test(tcase, a_nul_inside_matches_nothing);
    tcase_add_test(tcase, broken_alternative_names_match_nothing);
    suite_add_tcase(suite, tcase);
    return suite;
}
