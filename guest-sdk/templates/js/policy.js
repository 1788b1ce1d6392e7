// Refuses addresses that try many different wrong passwords.

import { json } from 'portcullis:policy/settings@0.1.0';
import { open } from 'portcullis:policy/stats@0.1.0';

// Made at the first call: when the component is built there is no host yet.
let made;

function policy() {
  if (made === undefined) {
    const { limit = 20, ...unknown } = JSON.parse(json());
    if (!Number.isInteger(limit)) throw 'setting "limit": must be a whole number';
    for (const name in unknown) throw `there is no setting "${name}"`;
    made = { limit, db: open('{{name}}') };
  }
  return made;
}

// Called once when the policy is loaded: what it throws refuses the policy, and the operator reads it.
export const setup = {
  check() {
    policy();
  },
};

export const report = {
  report(login) {
    // What a policy refused says nothing about the password: nobody looked at it.
    if (!login.success && !login.policyReject) {
      policy().db.add({ tag: 'address', val: login.remote }, 'different', { tag: 'text', val: login.pwhash });
    }
  },
};

export const allow = {
  allow(login) {
    const { limit, db } = policy();
    const different = db.get({ tag: 'address', val: login.remote }, 'different');
    if (different > limit) {
      return {
        tag: 'decided',
        val: {
          status: -1,
          msg: 'Too many failed logins from your address - try again later',
          log: '{{name}}',
          attrs: [['different_passwords', String(different)]],
        },
      };
    }
    return { tag: 'pass' };
  },
};
