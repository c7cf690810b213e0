'use strict'
const $ = id => document.getElementById(id)
// an element with text and children; whatever comes from the data becomes text, never HTML
const el = (tag, cls, ...inside) => {
  const e = document.createElement(tag)
  if (cls) e.className = cls
  e.append(...inside.filter(x => x !== null && x !== undefined && x !== ''))
  return e
}
const svg = (tag, attrs, ...inside) => {
  const e = document.createElementNS('http://www.w3.org/2000/svg', tag)
  for (const k in attrs) e.setAttribute(k, attrs[k])
  e.append(...inside)
  return e
}
const hue = label => (210 + 137.5 * label) % 360
const colour = (label, alpha = 1) => `hsl(${hue(label)} 70% 50% / ${alpha})`
const TASK = 0, SOURCE = 1, LINE = 2, TEXT = 3, GOLD = 4, FOUND = 5, ERRORS = 6, UNREAD = 7
const LIST = 100
let D, hits = [], at = 0, shown = LIST

// pairs [part, string] of a flat item [label, part, string, part, string, ...]
const mentions = item => { const m = []; for (let i = 1; i < item.length; i += 2) m.push([item[i], item[i + 1]]); return m }

function place(text, s) { // as a whole word if it stands as one
  const word = c => c !== undefined && /[A-Za-z0-9_]/.test(c)
  for (let i = text.indexOf(s); i >= 0; i = text.indexOf(s, i + 1))
    if (!word(text[i - 1]) && !word(text[i + s.length])) return i
  return text.indexOf(s)
}

function coloured(text, items) {
  const spans = [], seen = new Set()
  for (const item of items) for (const [part, s] of mentions(item)) {
    const i = s ? place(text, s) : -1, key = `${item[0]} ${part} ${i} ${s.length}`
    if (i >= 0 && !seen.has(key)) { seen.add(key); spans.push({a: i, b: i + s.length, label: item[0], part}) }
  }
  const cuts = [...new Set([0, text.length, ...spans.flatMap(s => [s.a, s.b])])].sort((x, y) => x - y)
  const p = el('p', 'text')
  p.dir = 'auto'
  for (let i = 0; i + 1 < cuts.length; i++) {
    const over = spans.filter(s => s.a <= cuts[i] && s.b >= cuts[i + 1]).sort((x, y) => (x.b - x.a) - (y.b - y.a))
    const piece = text.slice(cuts[i], cuts[i + 1])
    if (!over.length) { p.append(piece); continue }
    const name = s => [D.labels[s.label], D.parts[s.part]].filter(Boolean).join(' · ')
    const m = el('mark', '', piece)
    m.style.background = colour(over[0].label, .2)
    m.style.boxShadow = over.map((s, k) => `0 ${2 + 3 * k}px 0 ${colour(s.label)}`).join(',')
    m.title = over.map(name).join('\n')
    p.append(m)
    const ends = over.filter(s => s.b === cuts[i + 1])
    if (ends.length) p.append(el('span', 'tag', ends.map(name).join(' / ')))
  }
  return p
}

// relations and attributes: the strings on a line, an arc for each item
function arcs(items, state) {
  const names = [...new Set(items.flatMap(i => mentions(i).map(m => m[1])))], gap = 132, width = gap * names.length
  if (names.length > 12 || names.length < 2) return null
  const x = s => gap * (names.indexOf(s) + .5)
  const pairs = items.map(i => { const m = mentions(i); return {label: D.parts[m[1][0]] && !['subject', 'object'].includes(D.parts[m[1][0]]) ? D.parts[m[1][0]] : D.labels[i[0]], hue: i[0], a: m[0][1], b: m[1][1], ok: state(i)} })
  const span = Math.max(...pairs.map(p => Math.abs(names.indexOf(p.a) - names.indexOf(p.b))), 1), top = 26 + 30 * span
  const g = svg('svg', {viewBox: `0 0 ${width} ${top + 30}`, width, height: top + 30, role: 'img', 'aria-label': 'items as arcs'})
  for (const [k, p] of pairs.entries()) {
    const a = x(p.a), b = x(p.b), h = p.a === p.b ? 24 : 30 * Math.abs(names.indexOf(p.a) - names.indexOf(p.b)), mid = (a + b) / 2
    const shift = 7 * (pairs.slice(0, k).filter(q => (q.a === p.a && q.b === p.b) || (q.a === p.b && q.b === p.a)).length)
    const path = p.a === p.b ? `M${a - 10},${top} C${a - 30},${top - 34} ${a + 30},${top - 34} ${a + 10},${top}` : `M${a},${top} Q${mid},${top - 2 * h - shift} ${b},${top}`
    g.append(svg('path', {d: path, fill: 'none', stroke: colour(p.hue), 'stroke-width': 2, 'stroke-dasharray': p.ok ? '' : '5 4'}),
             svg('path', {d: `M${b - 5},${top - 9} L${b},${top} L${b + 5},${top - 9}`, fill: 'none', stroke: colour(p.hue), 'stroke-width': 2}),
             svg('text', {x: mid, y: top - h - 5 - shift, 'text-anchor': 'middle', class: 'rel'}, short(p.label, 22)))
  }
  for (const s of names) g.append(svg('text', {x: x(s), y: top + 18, 'text-anchor': 'middle'}, svg('title', {}, s), short(s, 16)))
  return el('div', 'wide', g)
}
const short = (s, n) => { const c = [...s]; return c.length > n ? c.slice(0, n - 1).join('') + '…' : s }

// an item as a card: its label, then its parts
function card(item, odd) {
  const c = el('li', 'card', el('b', '', D.labels[item[0]]))
  c.style.borderLeftColor = colour(item[0])
  for (const [part, s] of mentions(item)) if (s) c.append(el('span', 'part', el('small', '', D.parts[part]), s))
  if (odd) c.append(el('span', 'odd', odd))
  return c
}

const fold = s => D.folded ? s.normalize('NFKC').toLowerCase().replace(/\s+/g, '') : s
const same = item => JSON.stringify([item[0], mentions(item).map(([part, s]) => [part, fold(s)]).sort()]) // the order of roles says nothing

function side(title, odd, row, items, others) {
  const said = new Set(others.map(same))
  const good = new Map(items.map(i => [i, said.has(same(i))])), s = el('div', 'side', el('h4', '', title), coloured(row[TEXT], items))
  const pairs = items.filter(i => i.length === 5 && !D.events[row[TASK]])
  if (pairs.length) s.append(arcs(pairs, i => good.get(i)) || '')
  if (items.some(i => i.length > 3)) s.append(el('ul', 'cards', ...items.slice(0, 200).map(i => card(i, good.get(i) ? '' : odd))))
  const lost = [...new Set(items.flatMap(i => mentions(i).map(m => m[1])).filter(x => x && !row[TEXT].includes(x)))]
  if (lost.length) s.append(el('p', 'soft', 'not in the text: ' + lost.join(', ')))
  if (!items.length) s.append(el('p', 'soft', 'nothing'))
  return s
}

const thing = t => t ? el('span', '', el('b', '', D.labels[t[0]]), ' ' + t.slice(1).filter(Boolean).join(' → ')) : null
function detail() {
  const box = $('detail')
  $('count').textContent = hits.length ? `${at + 1} of ${hits.length.toLocaleString('en')}` : 'nothing fits'
  box.replaceChildren()
  if (!hits.length) return
  const row = D.rows[hits[at]]
  box.append(el('p', 'soft', `line ${row[LINE]} · ${D.sources[row[SOURCE]]} · ${D.tasks[row[TASK]]}`),
    el('div', 'sides', side('annotated', 'not found', row, row[GOLD], row[FOUND]), side('predicted', 'not annotated', row, row[FOUND], row[GOLD])))
  if (row[UNREAD].length) box.append(el('p', 'soft', 'cannot be read:'), ...row[UNREAD].map(a => el('pre', '', a || '(empty)')))
  if (row[ERRORS].length) box.append(el('ul', 'errors', ...row[ERRORS].map(e => el('li', '', el('span', 'kind', D.kinds[e[0]]),
    thing(e[1]), e[1] && e[2] ? el('span', 'soft', ' for ') : null, thing(e[2])))))
  else box.append(el('p', 'soft', 'all right'))
  for (const li of $('list').children) li.classList.toggle('here', +li.dataset.i === at)
}

function list() {
  $('list').replaceChildren(...hits.slice(0, shown).map((h, i) => {
    const row = D.rows[h], b = el('button', '', el('span', 'soft', String(row[LINE])), el('span', 'snip', row[TEXT].slice(0, 120)),
      row[ERRORS].length ? el('span', 'kind', String(row[ERRORS].length)) : '')
    b.type = 'button'
    b.onclick = () => { at = i; detail() }
    const li = el('li', '', b)
    li.dataset.i = i
    return li
  }))
  $('more').hidden = hits.length <= shown
}

function filter() {
  const start = performance.now(), kind = $('kind').value, label = $('label').value, source = $('source').value, q = $('q').value.trim().toLowerCase()
  const k = +kind, l = +label, s = +source
  hits = []
  for (let i = 0; i < D.rows.length; i++) {
    const row = D.rows[i], errors = row[ERRORS]
    if (source !== '' && row[SOURCE] !== s) continue
    if (kind === 'wrong' ? !errors.length : kind === 'right' ? errors.length : false) continue
    if (kind !== '' && k >= 0) {
      if (!errors.some(e => e[0] === k && (label === '' || (e[1] && e[1][0] === l) || (e[2] && e[2][0] === l)))) continue
    } else if (label !== '' && !row[GOLD].some(x => x[0] === l) && !row[FOUND].some(x => x[0] === l)) continue
    if (q && !lower(i).includes(q)) continue
    hits.push(i)
  }
  at = 0; shown = LIST
  list(); detail()
  document.body.dataset.ms = Math.round(performance.now() - start)
}
const lowered = []
const lower = i => lowered[i] ??= (D.rows[i][TEXT] + '\n' + [...D.rows[i][GOLD], ...D.rows[i][FOUND]].map(x => mentions(x).map(m => m[1]).join(' ')).join('\n')).toLowerCase()

function go(step) {
  if (!hits.length) return
  at = (at + step + hits.length) % hits.length
  if (at >= shown) { shown = at + LIST; list() }
  detail()
}

function choices(id, names, first) {
  $(id).append(...first.map(([v, t]) => new Option(t, v)), ...names.map(([i, n]) => new Option(n, i)))
  $(id).onchange = filter
}

function start() {
  D = JSON.parse($('data').textContent)
  const often = D.kinds.map(() => 0)
  for (const r of D.rows) for (const e of r[ERRORS]) often[e[0]]++
  choices('kind', D.kinds.map((n, i) => [i, `${n} (${often[i]})`]).filter(([i]) => often[i]), [['', 'all texts'], ['wrong', 'with errors'], ['right', 'without errors']])
  choices('label', D.labels.map((n, i) => [i, n]), [['', 'any label']])
  choices('source', D.sources.map((n, i) => [i, n]), [['', 'any source']])
  $('source').hidden = D.sources.length < 2
  $('q').oninput = filter
  $('prev').onclick = () => go(-1)
  $('next').onclick = () => go(1)
  $('more').onclick = () => { shown += LIST; list(); detail() }
  document.addEventListener('keydown', e => {
    if (['INPUT', 'SELECT', 'TEXTAREA'].includes(e.target.tagName) || e.altKey || e.ctrlKey || e.metaKey) return
    if (e.key === 'ArrowRight') go(1)
    if (e.key === 'ArrowLeft') go(-1)
  })
  for (const b of document.querySelectorAll('[data-kind]')) b.onclick = () => {
    $('kind').value = b.dataset.kind; filter(); $('browser').scrollIntoView({behavior: 'smooth'})
  }
  filter()
  document.body.dataset.ready = '1'
}
requestAnimationFrame(() => setTimeout(start))
