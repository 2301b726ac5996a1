/*
 * Copyright (C) The im authors
 *
 * The tests of the npm package centrifuge, in Protobuf over HTTP streaming.
 */

'use strict';

require('./centrifuge.js');
