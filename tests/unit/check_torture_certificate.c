// SPDX-License-Identifier: Apache-2.0
//
// Every allocation failing while client certificates are judged, and while the CAs and CRLs for that are
// loaded. What has failed for lack of memory must leave nothing behind: CAs and CRLs stay for as long as the
// process, certificates as long as their connection.
#include "auth/certificate.h"

#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

#include "check_torture_auth.h"

struct identity leaves[LEAVES];
static struct identity root, middle, stranger;
static char *ca_file, *crl_file, *old_crl_file, *one_ca_file, *one_crl_file;

void make_certificates(void)
{
    root = identity_make(&(struct certificate_wish){.name = "root", .ca = true});
    middle = identity_make(&(struct certificate_wish){.name = "middle", .ca = true, .issuer = &root});
    stranger = identity_make(&(struct certificate_wish){.name = "root", .ca = true});
    for (int i = 0; i < LEAVES; i++) {
        struct certificate_wish wish = {.name = "adobe.example",
                                        .issuer = &middle,
                                        .purpose = "clientAuth",
                                        .names = "DNS:other.example,URI:spiffe://a/b",
                                        .serial = 10 + i};
        if (i == LEAF_EXPIRED) {
            wish.from_s = -2 * DAY_S;
            wish.to_s = -DAY_S;
        }
        if (i == LEAF_STRANGE)
            wish.issuer = &stranger;
        if (i == LEAF_PURPOSE)
            wish.purpose = "serverAuth";
        leaves[i] = identity_make(&wish);
    }
    ca_file = file_make();
    file_add_certificate(ca_file, root.certificate);
    file_add_certificate(ca_file, middle.certificate);
    crl_file = file_make();
    file_add_crl(crl_file, crl_make(&root, 0, -DAY_S, DAY_S));
    file_add_crl(crl_file, crl_make(&middle, 10 + LEAF_REVOKED, -DAY_S, DAY_S));
    one_ca_file = file_make();
    file_add_certificate(one_ca_file, middle.certificate);
    one_crl_file = file_make();
    file_add_crl(one_crl_file, crl_make(&middle, 10 + LEAF_REVOKED, -DAY_S, DAY_S));
    old_crl_file = file_make();
    file_add_crl(old_crl_file, crl_make(&middle, 0, -2 * DAY_S, -DAY_S));
}

void free_certificates(void)
{
    identity_free(&root);
    identity_free(&middle);
    identity_free(&stranger);
    for (int i = 0; i < LEAVES; i++)
        identity_free(&leaves[i]);
    file_remove(ca_file);
    file_remove(crl_file);
    file_remove(old_crl_file);
    file_remove(one_ca_file);
    file_remove(one_crl_file);
}

struct chain_data {
    int leaf;
    const char *expected;
    X509_STORE *store; /* NULL: its loading is tortured, not the verdict */
};

/* What is shown is a copy each time: OpenSSL keeps in a certificate what it has found in it. */
static void judge_chain(const void *data, char outcome[OUTCOME_MAX])
{
    const struct chain_data *chain = data;
    const char *reason = NULL, *detail = NULL;
    char errstr[256] = "";
    X509 *leaf = X509_dup(leaves[chain->leaf].certificate);
    STACK_OF(X509) *shown = sk_X509_new_null();
    sk_X509_push(shown, X509_dup(middle.certificate));
    ERR_clear_error();
    X509_STORE *store = chain->store;
    const bool load = store == NULL;
    if (load)
        arm();
    if (load)
        store = certificate_store_load(one_ca_file, one_crl_file, errstr, sizeof errstr);
    if (load)
        torture_relent();
    else
        arm();
    if (store == NULL) {
        snprintf(outcome, OUTCOME_MAX, "%s", errstr[0] != '\0' ? NO_MEMORY : "no words");
    } else {
        enum auth_verdict verdict = certificate_judge(store, leaf, shown, &reason, &detail);
        torture_relent();
        say_verdict(outcome, verdict, reason);
        /* With memory again, nothing of the failure is left, in the store or in what was shown. */
        if (is_unavailable(outcome)) {
            char again[OUTCOME_MAX];
            certificate_renew(&leaf, &shown);
            verdict = certificate_judge(store, leaf, shown, &reason, &detail);
            say_verdict(again, verdict, reason);
            if (strcmp(again, chain->expected) != 0)
                snprintf(outcome, OUTCOME_MAX, "%.100s, and then %.100s", chain->expected, again);
        }
    }
    torture_relent();
    if (load)
        X509_STORE_free(store);
    sk_X509_pop_free(shown, X509_free);
    X509_free(leaf);
}

START_TEST(test_certificate_chain)
{
    static const struct {
        int leaf;
        int crl; /* 0: none; 1: good; 2: out of date */
        const char *expected;
    } cases[] = {
        {LEAF_GOOD, 0, "allow"},
        {LEAF_GOOD, 1, "allow"},
        {LEAF_GOOD, 2, "unavailable crl_unusable"},
        {LEAF_EXPIRED, 1, "deny certificate_expired"},
        {LEAF_REVOKED, 1, "deny certificate_revoked"},
        {LEAF_STRANGE, 0, "deny bad_certificate"},
        {LEAF_PURPOSE, 1, "deny bad_certificate"},
    };
    char *const crls[] = {NULL, crl_file, old_crl_file};
    char errstr[256];
    struct chain_data chain = {cases[_i].leaf, cases[_i].expected, NULL};
    chain.store = certificate_store_load(ca_file, crls[cases[_i].crl], errstr, sizeof errstr);
    ck_assert_ptr_nonnull(chain.store);
    torture(judge_chain, &chain, chain.expected);
    X509_STORE_free(chain.store);
}
END_TEST

/* A store that lacks something must not be taken for whole. */
START_TEST(test_certificate_store)
{
    struct chain_data chain = {LEAF_REVOKED, "deny certificate_revoked", NULL};
    torture_some(judge_chain, &chain, chain.expected);
}
END_TEST

static void judge_names(const void *data, char outcome[OUTCOME_MAX])
{
    static char common_name[] = "adobe.example", uri[] = "spiffe://a/b";
    static char *const names[] = {common_name, uri};
    const int *count = data;
    bool no_memory;
    X509 *leaf = X509_dup(leaves[LEAF_GOOD].certificate);
    ERR_clear_error();
    arm();
    bool found = certificate_has_name(leaf, names, (size_t)*count, &no_memory);
    torture_relent();
    snprintf(outcome, OUTCOME_MAX, "%s", no_memory ? NO_MEMORY : found ? "found" : "not found");
    X509_free(leaf);
}

START_TEST(test_certificate_names)
{
    torture(judge_names, &(int){2}, "found");
    torture(judge_names, &(int){1}, "not found");
}
END_TEST

void add_certificate_tests(TCase *tcase)
{
    tcase_add_loop_test(tcase, test_certificate_chain, 0, 7);
    tcase_add_test(tcase, test_certificate_store);
    tcase_add_test(tcase, test_certificate_names);
}
