/*
 * Copyright (C) The im authors
 *
 * Who a client is: a guest, or the user of im_user, of a signed token, of a
 * webhook's answer or of logic's answer.  The user of im_user is known before
 * the client says a word, and no token or answer makes another one of it.
 *
 * A token that logic doesn't know makes a guest where the protocol has guests;
 * a token with a wrong signature doesn't.  The client hears why it is refused.
 */

#include "ngx_im_command.h"
#include "ngx_im_backend.h"
#include "ngx_im_identity.h"
#include "ngx_im_jwt.h"
#include "ngx_im_opening.h"
#include "ngx_im_read.h"
#include "ngx_im_reply.h"
#include "ngx_im_webhook.h"
#include "im_ask.h"
#include "im_key.h"
#include "im_json.h"


#define NGX_IM_AUTH_ANSWER  65536


static const im_json_field_t  ngx_im_auth_info_fields[] = {
    { im_str("name"), IM_JSON_STRING, 0 },
    im_json_end
};


/* connect gets an error: any later command closes the session. */
static void
ngx_im_auth_failed(ngx_im_session_t *s)
{
    ngx_im_session_phase(s, NGX_IM_CONNECTING);

    s->ext->connecting = 0;
    s->ext->failed = 1;
}


static void
ngx_im_auth_error(ngx_im_session_t *s, im_error_e error)
{
    if (!s->class->proto->commands) {
        ngx_im_session_close(s, IM_REASON_FORBIDDEN,
                             "the token can't be used here");
        return;
    }

    ngx_im_auth_failed(s);

    (void) ngx_im_reply_error(s, s->ext->connect, error);
}


static const char  ngx_im_auth_other[] = "the token is another user's, not "
                                         "im_user's";


static const char  ngx_im_auth_unchecked[] = "the client has a mid, and no "
                                             "answer or token says that it is "
                                             "this user";


/* The user of im_user; "" none. */
static im_str_t
ngx_im_auth_known(ngx_im_session_t *s)
{
    im_str_t  user, name;

    ngx_im_opening_user(s->opening, &user, &name);

    return user;
}


/* Opens the session for its known user, for that of id, or as a guest. */
static void
ngx_im_auth_open(ngx_im_session_t *s, ngx_im_identity_t *id)
{
    im_str_t  user, name;

    ngx_im_opening_user(s->opening, &user, &name);

    if (user.len > 0 && id->user.len > 0 && !im_str_eq(user, id->user)) {
        ngx_im_session_close(s, IM_REASON_TOKEN, ngx_im_auth_other);
        return;
    }

    if (user.len > 0) {
        id->user = user;
        id->name = name.len > 0 ? name : id->name;
    }

    ngx_im_identity_open(s, id);
}


/*
 * The channels of a token.  NGX_DECLINED: there is no rule for one; NGX_BUSY:
 * too many, with the inbox.  im has one room and no place for them, and the
 * rooms of a request are those of im_join.
 */
static ngx_int_t
ngx_im_auth_channels(ngx_im_session_t *s, const im_jwt_t *claims)
{
    im_str_t    name;
    ngx_uint_t  i;

    if (claims->nsubs == 0 || s->ext == NULL || !s->ext->connecting
        || s->class->proto->request)
    {
        return NGX_OK;
    }

    if (claims->nsubs + (claims->user.len > 0)
        > s->class->conf->main->topics_per_session)
    {
        return NGX_BUSY;
    }

    for (i = 0; i < claims->nsubs; i++) {
        name = claims->subs[i].channel;

        /* to a client, "#.." is an inbox or the broadcast */

        if (!im_name_valid(name) || name.data[0] == '#'
            || im_rules_room(&s->class->conf->main->rules, name) == NULL)
        {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


/* Without the room, and the name, which is in info. */
static void
ngx_im_auth_claimed(ngx_im_session_t *s, const im_jwt_t *claims,
    ngx_im_identity_t *id)
{
    ngx_memzero(id, sizeof(ngx_im_identity_t));

    id->user = claims->user;
    id->info = claims->info;
    id->data = claims->data;
    id->meta = claims->meta;
    id->expires = claims->expires;

    /* who can renew its token has more time anyway */

    if (id->expires && !s->class->proto->commands) {
        id->expires += claims->leeway;
    }

    if (s->ext != NULL && s->ext->connecting && !s->class->proto->request) {
        id->subs = claims->subs;
        id->nsubs = claims->nsubs;
    }
}


static void
ngx_im_auth_claims(ngx_im_session_t *s, im_jwt_t *claims, im_str_t room)
{
    im_buf_t            arena;
    ngx_int_t           rc;
    const char         *why;
    ngx_im_identity_t   id;

    if (claims->channel.data != NULL) {
        ngx_im_session_close(s, IM_REASON_TOKEN,
                             "the token is for a subscription");
        return;
    }

    if (claims->user.len > 0 && !im_name_valid(claims->user)) {
        ngx_im_session_close(s, IM_REASON_TOKEN,
                             "the token's user is not a valid name");
        return;
    }

    if (claims->user.len == 0) {
        claims->user = ngx_im_auth_known(s);
    }

    rc = ngx_im_auth_channels(s, claims);

    if (rc != NGX_OK) {
        ngx_im_auth_error(s, rc == NGX_BUSY ? IM_ERROR_LIMIT
                                            : IM_ERROR_UNKNOWN_CHANNEL);
        return;
    }

    ngx_im_auth_claimed(s, claims, &id);
    id.room = room;

    im_buf_init(&arena, ngx_max(claims->info.len, IM_JWT_MAX));

    /* info may be of any type; only an object has a name */

    if (claims->info.len
        && im_json_decode(claims->info, ngx_im_auth_info_fields, IM_JSON_LAX,
                          &arena, &id.name, &why)
           != IM_OK
        && why == im_json_no_memory)
    {
        ngx_im_session_close(s, IM_REASON_BUSY, why);

    } else {
        ngx_im_auth_open(s, &id);
    }

    im_buf_cleanup(&arena);
}


static void
ngx_im_auth_result(ngx_im_session_t *s, const im_command_t *command,
    im_webhook_answer_t *answer)
{
    im_jwt_t  *claims;

    claims = &answer->result;

    if ((claims->user.len > 0 && !im_name_valid(claims->user))
        || claims->info.len > UINT16_MAX)
    {
        ngx_log_error(NGX_LOG_ERR, ngx_im_worker->log, 0,
                      "im: the webhook \"%V\" gave an invalid identity",
                      &s->class->conf->webhooks[IM_WEBHOOK_CONNECT]);

        ngx_im_auth_error(s, IM_ERROR_INTERNAL);
        return;
    }

    /* a channel is only for tokens of subscriptions */
    ngx_memzero(&claims->channel, sizeof(im_str_t));

    ngx_im_auth_claims(s, claims, im_str_set(NULL, 0));
}


/* The webhook knows no user. */
static void
ngx_im_auth_guest(ngx_im_session_t *s)
{
    ngx_im_identity_t  guest;

    if (s->class->conf->auth != NGX_IM_AUTH_NONE
        && ngx_im_auth_known(s).len == 0)
    {
        ngx_im_session_close(s, IM_REASON_BAD_REQUEST, "no token");
        return;
    }

    ngx_memzero(&guest, sizeof(ngx_im_identity_t));

    ngx_im_auth_open(s, &guest);
}


static void
ngx_im_auth_refused(ngx_im_session_t *s, const im_command_t *command)
{
    ngx_im_session_close(s, IM_REASON_FORBIDDEN, "refused by the backend");
}


static const ngx_im_webhook_t  ngx_im_auth_connect = {
    IM_WEBHOOK_CONNECT, ngx_im_auth_result, ngx_im_auth_guest,
    ngx_im_auth_failed, ngx_im_auth_refused
};


/* What a protocol with answers of its own needs to open a session. */
static ngx_int_t
ngx_im_auth_keep_answer(ngx_im_session_t *s, const im_command_t *command)
{
    ngx_im_ext_t  *ext;

    ext = s->ext;

    if (command->ops != NULL) {
        s->accept = im_accepts_get(&ngx_im_worker->accepts, 0, command->ops,
                                   command->nops, 1);
        if (s->accept == 0) {
            return NGX_ERROR;
        }
    }

    return ngx_im_session_copy(&ext->data, command->answer) == NGX_OK
           && ngx_im_session_copy(&ext->key, command->key) == NGX_OK
               ? NGX_OK : NGX_ERROR;
}


/* At least one, with their names and epochs behind them. */
static ngx_int_t
ngx_im_auth_keep_resumes(ngx_im_ext_t *ext, const im_command_t *command)
{
    size_t        len;
    u_char       *p;
    ngx_uint_t    i, n;
    im_resume_t  *resume;

    n = ngx_min(command->nresumes, IM_RESUMES_MAX);

    for (i = 0, len = n * sizeof(im_resume_t); i < n; i++) {
        len += command->resumes[i].topic.len
               + command->resumes[i].since.epoch.len;
    }

    ext->resumes = im_alloc(len);
    if (ext->resumes == NULL) {
        return NGX_ERROR;
    }

    ext->nresumes = n;
    p = (u_char *) (ext->resumes + n);

    for (i = 0; i < n; i++) {
        resume = &ext->resumes[i];
        *resume = command->resumes[i];
        resume->topic.data = p;
        p = im_copy(p, command->resumes[i].topic.data, resume->topic.len);
        resume->since.epoch.data = p;
        p = im_copy(p, command->resumes[i].since.epoch.data,
                    resume->since.epoch.len);
    }

    return NGX_OK;
}


/* Keeps what the answer to connect needs. */
static ngx_int_t
ngx_im_auth_keep(ngx_im_session_t *s, const im_command_t *command)
{
    ngx_im_ext_t  *ext;

    if (command->id == 0 && !command->begins && command->nresumes == 0
        && command->answer.len == 0)
    {
        return NGX_OK;
    }

    ext = ngx_im_session_ext(s);
    if (ext == NULL) {
        return NGX_ERROR;
    }

    s->positions = command->positions;

    ext->connect = command->id;
    ext->connecting = command->id != 0 || command->answer.len > 0;
    ext->begins = command->begins;
    ext->nsubs = 1;

    if (command->answer.len > 0
        && ngx_im_auth_keep_answer(s, command) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return command->nresumes > 0 ? ngx_im_auth_keep_resumes(ext, command)
                                 : NGX_OK;
}


/* The answer comes in a later turn. */
static ngx_int_t
ngx_im_auth_asked(ngx_im_session_t *s, ngx_int_t rc)
{
    if (rc != NGX_OK) {
        return ngx_im_session_close(s, IM_REASON_BUSY,
                                    "the backend has too much to do");
    }

    ngx_im_session_phase(s, NGX_IM_AUTHENTICATING);

    return NGX_OK;
}


static ngx_int_t
ngx_im_auth_jwt(ngx_im_session_t *s, const im_command_t *command)
{
    im_buf_t  arena;
    im_jwt_t  claims;
    im_str_t  known;

    im_buf_init(&arena, IM_JWT_ARENA);

    switch (ngx_im_jwt_verify(s, command->token, &arena, &claims)) {

    case NGX_OK:
        known = ngx_im_auth_known(s);

        if (known.len > 0 && !im_str_eq(claims.user, known)) {
            ngx_im_session_close(s, IM_REASON_TOKEN, ngx_im_auth_other);

        } else {
            ngx_im_auth_claims(s, &claims, command->room);
        }

        im_jwt_cleanup(&claims);
        break;

    case NGX_DECLINED:

        /* after an answer the client brings a fresh token, connecting anew */

        if (s->ext != NULL && s->ext->connecting) {
            ngx_im_auth_error(s, IM_ERROR_TOKEN_EXPIRED);

        } else {
            ngx_im_session_close(s, IM_REASON_FORBIDDEN, claims.why);
        }

        break;

    case NGX_BUSY:
        ngx_im_session_close(s, IM_REASON_BUSY, claims.why);
        break;

    default:
        ngx_im_session_close(s, IM_REASON_TOKEN, claims.why);
        break;
    }

    im_buf_cleanup(&arena);

    return NGX_OK;
}


/* The address pays for tokens that the backend doesn't know. */
static void
ngx_im_auth_bad(ngx_im_session_t *s)
{
    (void) ngx_im_budget_take(ngx_im_worker, &s->peer, NGX_IM_COST_FAILURE, 1);
}


/* Each decoding has its own arena, so that strings of the first stay valid. */
static void
ngx_im_auth_identity(ngx_im_session_t *s, im_str_t asked, im_str_t data)
{
    im_ask_t            ask;
    im_buf_t            arena, other;
    const char         *why;
    im_ask_identity_t   answer;
    ngx_im_identity_t   id;

    im_buf_init(&arena, NGX_IM_AUTH_ANSWER);
    im_buf_init(&other, NGX_IM_AUTH_ANSWER);

    if (im_ask_identity_decode(data, &arena, &answer, &why) != IM_OK
        || im_ask_decode(asked, &other, &ask, &why) != IM_OK
        || (answer.user.len > 0 && !im_name_valid(answer.user)))
    {
        ngx_log_error(NGX_LOG_ERR, ngx_im_worker->log, 0,
                      "im: the backend \"%V\" gave an invalid identity",
                      &s->class->conf->connect);
        ngx_im_session_close(s, IM_REASON_BUSY,
                             "the backend can't be understood");

        goto done;
    }

    if (answer.user.len == 0) {
        ngx_im_auth_bad(s);
    }

    if (answer.user.len == 0 && (ask.mid.len > 0 || !s->class->proto->guests)) {
        ngx_im_session_close(s, IM_REASON_TOKEN,
                             ask.mid.len > 0 ? ngx_im_auth_unchecked
                                             : "invalid token");

    } else {
        ngx_memzero(&id, sizeof(ngx_im_identity_t));

        id.user = answer.user;
        id.name = answer.name;
        id.info = answer.info;
        id.rooms = answer.rooms;
        id.login = answer.login;
        id.room = ask.room;

        ngx_im_auth_open(s, &id);
    }

done:

    im_buf_cleanup(&arena);
    im_buf_cleanup(&other);
}


/* The client may come again: this is not its fault. */
static void
ngx_im_auth_unknown(ngx_im_session_t *s, const char *why, ngx_uint_t status,
    im_str_t body)
{
    ngx_im_backend_log(ngx_im_worker, "backend", &s->class->conf->connect, body,
                       "can't tell who a token is: status %ui%s, %s", status,
                       status == 404 ? " (has it \"include im_params;\"?)"
                                     : "", why);

    ngx_im_session_close(s, IM_REASON_BUSY, why);
}


static void
ngx_im_auth_handler(ngx_im_worker_t *w, ngx_im_handle_t h, im_str_t asked,
    ngx_uint_t status, im_str_t body, void *data)
{
    int64_t            code;
    im_str_t           identity;
    im_verdict_e       verdict;
    ngx_im_session_t  *s;

    s = ngx_im_session_find(w, h);

    if (s == NULL || s->phase != NGX_IM_AUTHENTICATING) {
        return;
    }

    /* the code in the body is as an HTTP status */

    code = im_ask_answer_decode(body, &identity);
    verdict = im_verdict(status);

    if (verdict == IM_VERDICT_TAKEN && code != 0) {
        verdict = code > 0 ? im_verdict((im_uint_t) code) : IM_VERDICT_STRANGE;
    }

    switch (verdict) {

    case IM_VERDICT_TAKEN:
        ngx_im_auth_identity(s, asked, identity);
        break;

    case IM_VERDICT_REFUSED:
        ngx_im_auth_bad(s);
        ngx_im_session_close(s, IM_REASON_FORBIDDEN, "refused by the backend");
        break;

    case IM_VERDICT_AWAY:
        ngx_im_auth_unknown(s, "the backend can't be reached", status, body);
        break;

    default:
        ngx_im_auth_unknown(s, "the backend can't be understood", status,
                            body);
    }
}


static ngx_int_t
ngx_im_auth_ask(ngx_im_session_t *s, const im_command_t *command)
{
    u_char    addr[NGX_SOCKADDR_STRLEN];
    im_ask_t  ask;

    ngx_memzero(&ask, sizeof(im_ask_t));

    ask.protocol = im_str_z(s->class->proto->name);
    ask.token = command->token;
    ask.room = command->room;
    ask.ip = im_str_set(addr, ngx_im_session_addr(s, addr));

    if (ngx_im_auth_known(s).len > 0) {
        ask.user = ngx_im_auth_known(s);
    }

    ask.node = ngx_im_str(s->class->conf->main->node);

    if (command->user.len > 0) {
        ask.mid = command->user;
    }

    if (command->key.len > 0) {
        ask.key = command->key;
    }

    return ngx_im_backend_logic(s, &ask, ngx_im_auth_handler);
}


/* It comes without a token, and may. */
static ngx_uint_t
ngx_im_auth_tokenless(ngx_im_session_t *s, const im_command_t *command)
{
    ngx_uint_t  auth;

    auth = s->class->conf->auth;

    return auth == NGX_IM_AUTH_NONE || auth == NGX_IM_AUTH_MID
           || (command->token.len == 0
               && (s->class->proto->guests || ngx_im_auth_known(s).len > 0));
}


static ngx_int_t
ngx_im_auth_token(ngx_im_session_t *s, const im_command_t *command)
{
    if (command->token.len == 0) {
        return ngx_im_session_close(s, IM_REASON_BAD_REQUEST, "no token");
    }

    if (s->class->conf->auth == NGX_IM_AUTH_JWT) {
        return ngx_im_auth_jwt(s, command);
    }

    if (command->token.len > IM_JWT_MAX) {
        return ngx_im_session_close(s, IM_REASON_TOKEN, "auth is too long");
    }

    if (ngx_im_budget_wait(ngx_im_worker, &s->peer, NGX_IM_COST_FAILURE) > 0) {
        ngx_im_budget_refused(ngx_im_worker, &s->peer,
                              NGX_IM_REFUSED_FAILURES);

        return ngx_im_session_close(s, IM_REASON_BUSY,
                                    "too many bad tokens from this address");
    }

    return ngx_im_auth_asked(s, ngx_im_auth_ask(s, command));
}


ngx_int_t
ngx_im_auth_command(ngx_im_session_t *s, const im_command_t *command)
{
    ngx_int_t          rc;
    ngx_im_identity_t  guest;

    if (s->phase != NGX_IM_CONNECTING) {
        return NGX_OK;
    }

    if (command->nresumes > 0) {
        rc = ngx_im_read_pay(s);

        if (rc != NGX_OK) {
            return rc;
        }

        ngx_im_read_paid(s);
    }

    if (ngx_im_auth_keep(s, command) != NGX_OK) {
        return ngx_im_session_close(s, IM_REASON_BUSY, "no memory");
    }

    if (s->class->conf->webhooks[IM_WEBHOOK_CONNECT].len
        && (s->class->conf->auth == NGX_IM_AUTH_NONE
            || command->token.len == 0))
    {
        return ngx_im_auth_asked(s, ngx_im_webhook_ask(s, &ngx_im_auth_connect,
                                                       command));
    }

    if (s->class->conf->auth == NGX_IM_AUTH_NONE && command->user.len > 0) {
        return ngx_im_session_close(s, IM_REASON_FORBIDDEN,
                                    ngx_im_auth_unchecked);
    }

    if (ngx_im_auth_tokenless(s, command)) {
        ngx_memzero(&guest, sizeof(ngx_im_identity_t));
        guest.user = command->user;
        guest.room = command->room;

        ngx_im_auth_open(s, &guest);
        return NGX_OK;
    }

    return ngx_im_auth_token(s, command);
}
