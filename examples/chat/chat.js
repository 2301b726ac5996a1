const room = 'lobby';
const place = {};                       // where we are in the room: seq, epoch
let token, wait = 500;

const $ = (id) => document.getElementById(id);


// Accounts: POST /v1/user/login and the like.  code 0 is success.
async function account(action, name, password) {
    const answer = await fetch('/v1/user/' + action, {
        method: 'POST',
        body: JSON.stringify({ UserName: name, Password: password })
    });

    return answer.json();
}


// One WebSocket.  After a lost connection it goes on from its place.
function connect() {
    const ws = new WebSocket(location.origin.replace(/^http/, 'ws') + '/ws');

    ws.onopen = () => {
        const start = place.epoch ? place : { last: 50 };

        ws.send(JSON.stringify({ auth: token, room, ...start }));
    };

    ws.onmessage = (event) => {
        const frame = JSON.parse(event.data);

        if (frame.seq !== undefined && !frame.inbox && !frame.broadcast) {
            place.seq = frame.seq;
            place.epoch = frame.epoch;
        }

        if (frame.op === 3) { show(frame); }                  // a message
        if (frame.op === 4) {                                 // the members
            $('state').textContent = 'here: ' + Object.values(frame.roomUserInfo).join(', ');
            wait = 500;
        }
    };

    ws.onclose = (event) => {
        if (event.code === 1008) {                            // refused
            $('state').textContent = event.reason;
            return;
        }

        $('state').textContent = 'reconnecting';
        setTimeout(connect, wait * (0.5 + Math.random()));
        wait = Math.min(wait * 2, 15000);
    };
}


function show(frame) {
    const item = document.createElement('li');
    const time = document.createElement('time');

    time.textContent = new Date(frame.time).toLocaleTimeString();
    item.append(time, (frame.fname || 'server') + ': ' + frame.msg);
    $('messages').append(item);
}


$('login').onsubmit = async (event) => {
    const { name, password } = event.target.elements;
    const action = event.submitter ? event.submitter.value : 'login';

    event.preventDefault();

    let answer = await account(action, name.value, password.value);

    if (action === 'register' && answer.code === 0) {
        answer = await account('login', name.value, password.value);
    }

    if (answer.code !== 0) {
        $('state').textContent = 'refused: code ' + answer.code;
        return;
    }

    token = answer.data.Auth;
    $('login').hidden = true;
    $('send').hidden = false;
    connect();
};


$('send').onsubmit = async (event) => {
    const text = event.target.elements.text;

    event.preventDefault();

    const answer = await fetch('/api/v1/pushRoom?room=' + room, {
        method: 'POST',
        headers: { Authorization: 'Bearer ' + token },
        body: JSON.stringify({ msg: text.value })
    });

    if ((await answer.json()).code === 0) { text.value = ''; }
};
