/*
 * Copyright (C) The im authors
 *
 * The dialog of an account: log in, register, change the password, delete.
 */

import * as api from './api.js';

const TITLES = { login: 'Log in', register: 'Register',
                 change: 'Change password', erase: 'Delete account' };

/* What the server calls a field, its id here and how a sentence names it. */
const FIELDS = {
    UserName: ['name', 'A name'],
    Password: ['password', 'A password'],
    NewPassword: ['next', 'A password']
};

const RULES = {
    'UserName.Required': 'Type a name.',
    'UserName.MinSize': 'A name has 3 to 20 characters.',
    'UserName.MaxSize': 'A name has 3 to 20 characters.',
    'Password.Required': 'Type a password.',
    'Password.MinSize': 'A password has 6 characters or more.',
    'Password.MaxSize': 'A password has at most 1024 bytes.'
};

const CODES = {
    [api.TAKEN]: 'This name is taken, or it looks like one that is. '
                 + 'Choose another name.',
    [api.WRONG]: 'There is no account with this name and password.',
    [api.NO_USER]: 'This account does not exist any more.',
    [api.ENDED]: 'Your login has ended. Please log in again.',
    [api.OFTEN]: 'Too many attempts. Try again in a few minutes.',
    [api.KEPT_OUT]: 'This user is kept out for now.'
};


/* Why a name or a password doesn't fit: a field's id and a sentence. */
function rule(msg) {
    const [, field, kind, detail] = /^(\w+)\.(\w+):([ -~]+)$/.exec(msg) || [];

    if (!(field in FIELDS)) {
        return ['', 'That name or password does not fit.'];
    }

    const [id, what] = FIELDS[field];

    return [id, RULES[field + '.' + kind]
                || what + ' ' + detail[0].toLowerCase() + detail.slice(1)
                   + '.'];
}


export class Sign {

    /* ui: elements by id; account: {user(), signedIn(answer.data), erased()} */
    constructor(ui, account) {
        this.ui = ui;
        this.account = account;
        this.what = 'login';

        ui.sign.addEventListener('submit', (event) => {
            event.preventDefault();
            this.submit();
        });
        ui['sign-other'].addEventListener('click', () =>
            this.open(this.other()));
        ui['sign-cancel'].addEventListener('click', () => ui.dialog.close());
    }


    other() {
        return this.what === 'login' ? 'register' : 'login';
    }


    open(what) {
        const ui = this.ui;
        const mine = what === 'change' || what === 'erase';

        this.what = what;
        ui['dialog-title'].textContent = TITLES[what];
        ui['sign-go'].textContent = TITLES[what];
        ui['sign-go'].classList.toggle('danger', what === 'erase');
        ui['sign-other'].hidden = mine;
        ui['sign-other'].textContent = TITLES[this.other()] + ' instead';
        ui['password-label'].textContent = what === 'change'
            ? 'Present password' : 'Password';
        ui.renewal.hidden = what !== 'change';
        ui.next.required = what === 'change';
        ui.password.autocomplete = what === 'register' ? 'new-password'
                                                       : 'current-password';
        ui.name.readOnly = mine;
        this.say('', '');

        if (mine) {
            ui.name.value = this.account.user().name;
            ui.password.value = ui.next.value = '';
        }

        if (!ui.dialog.open) {
            ui.dialog.showModal();
        }

        (mine ? ui.password : ui.name).focus();
    }


    hasHint(field) {
        return field === 'next' || this.what === 'register';
    }


    /* id: of the field that is at fault, "" none */
    say(id, content) {
        const ui = this.ui;

        for (const field of ['name', 'password', 'next']) {
            const bad = field === id;

            ui[field + '-fault'].textContent = bad ? content : '';
            ui[field + '-fault'].hidden = !bad;
            ui[field + '-hint'].hidden = bad || !this.hasHint(field);

            if (bad) {
                ui[field].setAttribute('aria-invalid', 'true');
                ui[field].focus();

            } else {
                ui[field].removeAttribute('aria-invalid');
            }
        }

        ui['sign-notice'].textContent = id === '' ? content : '';
        ui['sign-notice'].hidden = id !== '' || content === '';
    }


    refusal(answer) {
        if (answer.code === api.INVALID) {
            const [id, why] = rule(answer.msg);

            /* the server names both passwords alike, and checks the old one
               first */
            return [id === 'password' && this.what === 'change'
                    && this.ui.password.value.length >= 6 ? 'next' : id, why];
        }

        return [answer.code === api.TAKEN ? 'name' : '',
                CODES[answer.code] || 'The accounts cannot be reached now. '
                                      + 'Try again in a moment.'];
    }


    ask(name, password) {
        switch (this.what) {

        case 'change':
            return api.changePassword(name, password, this.ui.next.value,
                                      this.account.user().token);

        case 'erase':
            return api.deleteAccount(name, password,
                                     this.account.user().token);

        default:
            return api.login(name, password);
        }
    }


    /* [], or a field's id and why it was refused */
    async go(name, password) {
        if (this.what === 'register') {
            const answer = await api.register(name, password);

            if (answer.code !== api.OK) {
                return this.refusal(answer);
            }
        }

        const answer = await this.ask(name, password);

        if (answer.code !== api.OK) {
            return this.refusal(answer);
        }

        if (this.what === 'erase') {
            this.account.erased();

        } else {
            this.account.signedIn(answer.data);
        }

        return [];
    }


    async submit() {
        const ui = this.ui;

        if (ui['sign-go'].disabled) {
            return;
        }

        ui['sign-go'].disabled = true;
        this.say('', '');

        const [id, why] = await this.go(ui.name.value, ui.password.value)
            .catch((e) => ['', e instanceof api.Fault ? e.message
                               : 'The page has a fault: ' + e.message]);

        ui['sign-go'].disabled = false;

        if (why !== undefined) {
            this.say(id, why);
            return;
        }

        ui.password.value = ui.next.value = '';
        ui.dialog.close();
        ui.text.focus();
    }
}
