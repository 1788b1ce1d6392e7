// Refuses addresses that try many different wrong passwords.

#include "bindings/policy.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool ready;
static int32_t limit = 20;
static portcullis_policy_stats_own_db_t db;

// A string that is not copied: for arguments of host functions.
static policy_string_t text(const char *chars) {
    policy_string_t string = {(uint8_t *)chars, strlen(chars)};
    return string;
}

// Reads the settings and opens the stats DB, at the first call. False, with a text for the operator, if that cannot be done.
static bool prepare(policy_string_t *error) {
    if (ready) return true;
    policy_string_t name = text("limit"), value;
    if (portcullis_policy_settings_get(&name, &value)) {
        bool number = value.len > 0 && value.len < 10;
        limit = 0;
        for (size_t at = 0; number && at < value.len; at++) {
            number = value.ptr[at] >= '0' && value.ptr[at] <= '9';
            limit = limit * 10 + (value.ptr[at] - '0');
        }
        policy_string_free(&value);
        if (!number) {
            policy_string_dup(error, "setting \"limit\": must be a whole number");
            return false;
        }
    }
    policy_string_t db_name = text("{{name}}");
    portcullis_policy_stats_error_t reason;
    if (!portcullis_policy_stats_open(&db_name, &db, &reason)) {
        portcullis_policy_stats_error_free(&reason);
        policy_string_dup(error, "there is no stats DB \"{{name}}\", or it was not granted");
        return false;
    }
    ready = true;
    return true;
}

static portcullis_policy_stats_key_t address(const portcullis_policy_types_login_t *login) {
    portcullis_policy_stats_key_t key = {.tag = PORTCULLIS_POLICY_STATS_KEY_ADDRESS};
    key.val.address = login->remote;
    return key;
}

// Called once when the policy is loaded: the error refuses the policy.
bool exports_portcullis_policy_setup_check(policy_string_t *error) { return prepare(error); }

bool exports_portcullis_policy_report_report(exports_portcullis_policy_report_login_t *login, policy_string_t *error) {
    bool done = prepare(error);
    // What a policy refused says nothing about the password: nobody looked at it.
    if (done && !login->success && !login->policy_reject) {
        portcullis_policy_stats_key_t key = address(login);
        portcullis_policy_stats_value_t tried = {.tag = PORTCULLIS_POLICY_STATS_VALUE_TEXT};
        tried.val.text = login->pwhash;
        policy_string_t field = text("different");
        portcullis_policy_stats_error_t reason;
        done = portcullis_policy_stats_method_db_add(
            portcullis_policy_stats_borrow_db(db), &key, &field, &tried, &reason);
        if (!done) {
            portcullis_policy_stats_error_free(&reason);
            policy_string_dup(error, "cannot count the password");
        }
    }
    portcullis_policy_types_login_free(login);
    return done;
}

bool exports_portcullis_policy_allow_allow(
    exports_portcullis_policy_allow_login_t *login, exports_portcullis_policy_allow_verdict_t *verdict,
    policy_string_t *error) {
    int32_t different = 0;
    bool done = prepare(error);
    if (done) {
        portcullis_policy_stats_key_t key = address(login);
        policy_string_t field = text("different");
        portcullis_policy_stats_error_t reason;
        done = portcullis_policy_stats_method_db_get(
            portcullis_policy_stats_borrow_db(db), &key, &field, &different, &reason);
        if (!done) {
            portcullis_policy_stats_error_free(&reason);
            policy_string_dup(error, "cannot read the count");
        }
    }
    portcullis_policy_types_login_free(login);
    if (!done) return false;

    memset(verdict, 0, sizeof *verdict);
    verdict->tag = EXPORTS_PORTCULLIS_POLICY_ALLOW_VERDICT_PASS;
    if (different > limit) {
        verdict->tag = EXPORTS_PORTCULLIS_POLICY_ALLOW_VERDICT_DECIDED;
        exports_portcullis_policy_allow_decision_t *decision = &verdict->val.decided;
        decision->status = -1;
        // What is returned belongs to the bindings, which free it after the host has read it.
        policy_string_dup(&decision->msg, "Too many failed logins from your address - try again later");
        policy_string_dup(&decision->log, "{{name}}");
        decision->attrs.ptr = calloc(1, sizeof *decision->attrs.ptr);
        if (decision->attrs.ptr != NULL) {
            char digits[12], *end = digits + sizeof digits - 1;
            *end = 0;
            for (int32_t rest = different; rest > 0; rest /= 10) *--end = (char)('0' + rest % 10);
            decision->attrs.len = 1;
            policy_string_dup(&decision->attrs.ptr[0].f0, "different_passwords");
            policy_string_dup(&decision->attrs.ptr[0].f1, end);
        }
    }
    return true;
}
