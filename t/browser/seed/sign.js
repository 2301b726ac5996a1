/*
 * Copyright (C) The im authors
 *
 * What login.html and register.html have in common.
 */

'use strict';

function fields() {
    return JSON.stringify({
        UserName: document.getElementById('name').value,
        Password: document.getElementById('password').value
    });
}


function login() {
    ajax({
        type: 'POST',
        url: 'http://localhost:8080/v1/user/login',
        data: fields(),
        success: function (body) {
            if (body.code === 0) {
                localStorage.setItem('auth', body.data.Auth);
                location.href = 'http://localhost:1999/';

            } else {
                alert(body.msg);
            }
        }
    });
}


function register() {
    ajax({
        type: 'POST',
        url: 'http://localhost:8080/v1/user/register',
        data: fields(),
        success: function (body) {
            if (body.code === 0) {
                login();

            } else {
                alert(body.msg);
            }
        }
    });
}
