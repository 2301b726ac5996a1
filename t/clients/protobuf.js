/*
 * Copyright (C) The im authors
 *
 * The tests of the npm package centrifuge, with its build for Protobuf.
 */

'use strict';

require('./centrifuge.js');
