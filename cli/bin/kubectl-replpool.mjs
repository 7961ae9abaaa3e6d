#!/usr/bin/env node
// `kubectl replpool …` runs what is called kubectl-replpool in PATH.
import { start } from './start.mjs';

start('main-kubectl');
