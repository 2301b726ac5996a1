/*
 * Copyright (C) The im authors
 *
 * Requests as the pages of `im` make them: XMLHttpRequest without credentials;
 * a form's Content-Type unless another is given, so that there is no preflight;
 * an answer that must be JSON.
 */

'use strict';

function ajax(options) {
    const xhr = new XMLHttpRequest();

    xhr.open(options.type, options.url);
    xhr.setRequestHeader('Accept', 'application/json, text/javascript, */*');

    if (options.type === 'POST') {
        xhr.setRequestHeader('Content-Type', options.contentType
            || 'application/x-www-form-urlencoded; charset=UTF-8');
    }

    xhr.onloadend = function () {
        let body;

        try {
            if (xhr.status !== 200) {
                throw new Error('status ' + xhr.status);
            }
            body = JSON.parse(xhr.responseText);

        } catch (e) {
            alert('error: ' + options.url + ': ' + e.message);
            return;
        }

        options.success(body);
    };

    xhr.send(options.data === undefined ? null : options.data);
}
