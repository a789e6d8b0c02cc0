"""Indonesian, the report's language: the words of report.html.

OWN: what the page says itself. STORED: what claims.json and audit.json hold, stored in English; a {placeholder} stands
for what differs from run to run. `languages.py` says how they are found; tests hold the two sides' placeholders equal.
"""

# fmt: off
OWN = {
    "Look for equal bars: a class with few photos is learned, and measured, less well.":
        "Perhatikan apakah batangnya sama tinggi: kelas dengan sedikit foto kurang baik dipelajari, dan "
        "kurang baik pula diukur.",
    "Look for what else differs between classes (light, size, background): it may be learned too.":
        "Perhatikan apa lagi yang berbeda antarkelas (cahaya, ukuran, latar belakang): itu pun dapat ikut "
        "dipelajari.",
    "Look for lines that settle together: a gap means photos learned by heart.":
        "Perhatikan apakah kedua garis mendatar bersama: jarak di antaranya berarti foto dihafal "
        "(overfitting).",
    "Look at the diagonal: it holds what was right; each number beside it is a kind of mistake.":
        "Perhatikan diagonalnya: di situ yang benar; setiap angka di luarnya adalah satu jenis kesalahan.",
    "Look at how long the bars are: two results whose bars overlap widely may be equally good.":
        "Perhatikan panjang garisnya: dua hasil yang garisnya banyak bertumpang tindih bisa jadi sama "
        "baiknya.",
    "Look for ✗, and for a low probability beside ✓: there the network was nearly wrong.":
        "Perhatikan tanda ✗, dan probabilitas rendah di samping ✓: di situ jaringan hampir salah.",
    "Look for what the mistakes share: a hand, a scarf, a beard, the light, or a wrong label.":
        "Perhatikan persamaan di antara kesalahan: tangan, selendang, janggut, cahaya, atau label yang "
        "keliru.",
    "seed": "seed (benih acak)",
    "way of splitting": "cara pembagian data",
    "photos drawn per class": "foto yang diambil per kelas",
    "epochs": "jumlah epoch",
    "batch size": "ukuran batch",
    "learning rate": "laju pembelajaran (learning rate)",
    "side of the network's input, pixels": "sisi masukan jaringan, piksel",
    "augmentation": "augmentasi",
    "views of each photo": "tampilan dari setiap foto",
    "further epochs of the last stages": "epoch tambahan untuk tahap-tahap terakhir",
    "their learning rate": "laju pembelajarannya",
    "share of their tuning kept": "bagian penyetelannya yang dipertahankan",
    "epoch kept": "epoch yang disimpan",
    "training photos": "foto pelatihan",
    "validation photos": "foto validasi",
    "photos set aside": "foto yang disisihkan",
    "device": "perangkat",
    "platform": "platform",
    "processors": "prosesor",
    "cuda": "cuda",
    "commit": "commit",
    "Photos of one original stay together in one part, so that no near copy of a training photo is among "
    "the photos to check.":
        "Foto-foto dari satu foto asli selalu berada di bagian yang sama, sehingga tidak ada salinan mirip "
        "dari foto pelatihan di antara foto yang diuji.",
    "The parts were drawn photo by photo, as the report did: near copies of one photo may stand on both "
    "sides, and then the number is too good.":
        "Pembagian dilakukan foto demi foto, seperti dalam laporan: salinan mirip dari satu foto dapat berada"
        " di kedua bagian, dan dalam hal itu angkanya terlalu bagus.",
    "The parts are folders of the photos' own: the training part was learned from, the other one checked. "
    "Copies of one photo may stand on both sides; the audit counts them.":
        "Pembagiannya mengikuti folder foto itu sendiri: bagian pelatihan dipelajari, bagian lainnya diuji. "
        "Salinan dari satu foto dapat berada di kedua bagian; audit menghitungnya.",
    "{n} photos lie in two classes or more with the same bytes: one of their labels is wrong.":
        "{n} foto dengan byte yang sama berada di dua kelas atau lebih: salah satu labelnya keliru.",
    "drawn": "diambil",
    "yes": "ya",
    "no": "tidak",
    "Details": "Rincian",
    "How the parts were drawn is not recorded.": "Cara pembagian datanya tidak tercatat.",
    "The words in the figures, names of files and settings, and what the project has no translation of "
    "are in English. In the figures: training, validation (the two parts), accuracy, loss, epoch, true, "
    "predicted.":
        "Tulisan di dalam gambar, nama berkas dan pengaturan, serta kalimat yang belum ada terjemahannya "
        "berbahasa Inggris. Di dalam gambar: training = pelatihan, validation = validasi, accuracy = akurasi,"
        " loss = nilai kerugian, true = sebenarnya, predicted = prediksi.",
    "Some photos of each class.": "Beberapa foto dari setiap kelas.",
    "Validation photos, each with its predicted class and probability.":
        "Foto validasi, masing-masing dengan kelas prediksi dan probabilitasnya.",
    "The photos that the table below lists.": "Foto-foto yang tercantum dalam tabel di bawah.",
    "started": "mulai",
    "finished": "selesai",
    "photos not in the feature cache": "foto yang belum ada di cache fitur",
    "{name}: {count} right": "{name}: {count} benar",
    "{photos}: {n_train} to learn, {n_val} to check": "{photos}: {n_train} untuk pelatihan, {n_val} untuk validasi",
    "{trainable} of {total} weights": "{trainable} dari {total} bobot",
    "The best of {n} epochs was epoch {best}; it was chosen on these same photos, so it flatters a "
    "little. The last epoch got {score}.":
        "Yang terbaik dari {n} epoch adalah epoch {best}; epoch itu dipilih dengan foto-foto yang sama ini, "
        "jadi nilainya sedikit terlalu bagus. Epoch terakhir memperoleh {score}.",
    "Precision: of the photos called so, how many are. Recall: of the photos that are so, how many were "
    "found. F1: both in one number.":
        "Presisi: dari foto yang diprediksi sebagai kelas ini, berapa yang memang demikian. Recall: dari foto"
        " yang memang kelas ini, berapa yang ditemukan. F1: keduanya dalam satu angka.",
    "{n} wrongly classified of {of} validation photos, with the weights kept.":
        "{n} salah diklasifikasikan dari {of} foto validasi, dengan bobot yang disimpan.",
    "What the report (June 2025) states, and what was found here.":
        "Yang dinyatakan laporan (Juni 2025), dan yang ditemukan di sini.",
    "{count} right is what was seen. With only {n} validation photos, a network whose true accuracy lies "
    "anywhere between {low} and {high} could well have given it (95 % Wilson interval). One photo more or"
    " less moves the number by {step}. The interval covers chance alone: not near copies in both parts, "
    "not photos from another camera or place, and not that the best epoch was picked on these photos.":
        "Yang teramati adalah {count} benar. Dengan hanya {n} foto validasi, jaringan yang akurasi sebenarnya"
        " berada di mana saja antara {low} dan {high} dapat saja memberi hasil ini (interval Wilson 95%). "
        "Satu foto lebih atau kurang menggeser angkanya sebesar {step}. Interval ini hanya mencakup faktor "
        "kebetulan: tidak mencakup salinan mirip di kedua bagian, foto dari kamera atau tempat lain, ataupun "
        "bahwa epoch terbaik dipilih dengan foto-foto ini.",
    "Each was replaced by the next draw where there was one.":
        "Setiap foto diganti dengan undian berikutnya bila masih ada.",
    "Those that were set aside by hand were not replaced.":
        "Foto yang disisihkan dengan tangan tidak diganti.",
    "Corrected by hand": "Dikoreksi dengan tangan",
    "labels: {relabelled}, photos set aside: {set_aside}": "label: {relabelled}, foto yang disisihkan: {set_aside}",
    "{n} of {of}": "{n} dari {of}",
    "{share}, 95 % interval {ends}": "{share}, interval kepercayaan 95% {ends}",
    "Photos": "Foto",
    "Classes": "Kelas",
    "Network and weights": "Jaringan dan bobot",
    "What learned": "Yang dilatih",
    "Last epoch ({epoch})": "Epoch terakhir ({epoch})",
    "The last of {n} epochs was kept. The best was epoch {best}: {score}.":
        "Yang disimpan adalah epoch terakhir dari {n}. Yang terbaik adalah epoch {best}: {score}.",
    "epoch": "epoch",
    "training loss": "loss pelatihan",
    "validation loss": "loss validasi",
    "training accuracy": "akurasi pelatihan",
    "validation accuracy": "akurasi validasi",
    "validation photos right": "foto validasi yang benar",
    "Loss is cross-entropy; smaller is better.": "Loss adalah cross-entropy; makin kecil makin baik.",
    "All {n} epochs as a table": "Semua {n} epoch dalam tabel",
    "class": "kelas",
    "photos": "foto",
    "precision": "presisi",
    "recall": "recall",
    "95 % interval of recall": "interval 95% untuk recall",
    "file": "berkas",
    "is": "sebenarnya",
    "was called": "diprediksi",
    "probability": "probabilitas",
    "statement": "pernyataan",
    "the report": "laporan",
    "this run": "percobaan ini",
    "verdict": "kesimpulan",
    "judged by": "dasar penilaian",
    "{count} right. {rows}.": "{count} benar. {rows}.",
    "{n_train} training and {n_val} validation photos.": "{n_train} foto pelatihan dan {n_val} foto validasi.",
    "Loss and accuracy by epoch; the best is {best}: {score}.":
        "Loss dan akurasi per epoch; yang terbaik adalah epoch {best}: {score}.",
    "Best epoch {best}; last epoch {last}; then each class's recall.":
        "Epoch terbaik {best}; epoch terakhir {last}; lalu recall setiap kelas.",
    "not recorded": "tidak tercatat",
    "{what} is not there: run {notebook} with the same RUN.":
        "{what} tidak ada: jalankan {notebook} dengan RUN yang sama.",
    "How it learned": "Proses pelatihan",
    "What it got right": "Yang diklasifikasikan dengan benar",
    "The scores, and how sure they are": "Nilai-nilainya, dan seberapa pasti",
    "Mistakes": "Kesalahan",
    "Predictions": "Prediksi",
    "How far to trust it": "Seberapa jauh hasil ini dapat dipercaya",
    "The report's statements, and this run": "Pernyataan laporan dan percobaan ini",
    "What it was asked to learn from": "Data yang dipelajari",
    "Photos that were set aside": "Foto yang disisihkan",
    "How it was made": "Cara pembuatannya",
    "Not what was asked for first:": "Bukan yang diminta semula:",
    "validation photos classified correctly": "foto validasi diklasifikasikan dengan benar",
    "The table per class": "Tabel per kelas",
    "never predicted": "tidak pernah diprediksi",
    "no photo": "tidak ada foto",
    "The list of mistakes": "Daftar kesalahan",
    "All {n} mistakes as a table": "Semua {n} kesalahan dalam tabel",
    "time for {part}": "waktu untuk {part}",
    "Times differ from run to run.": "Waktu berbeda dari satu percobaan ke percobaan lain.",
    "reason": "alasan",
    "{n} files": "{n} berkas",
    "Figure {name}": "Gambar {name}",
    "maskkit run {name}": "maskkit, percobaan {name}",
    "None: all {n} validation photos were classified correctly.":
        "Tidak ada: semua {n} foto validasi diklasifikasikan dengan benar.",
    "not there: run 01_prepare": "tidak ada: jalankan 01_prepare",
    "To repeat it:": "Untuk mengulanginya:",
    "what": "hal",
    "value": "nilai",
    "None: every photo that was drawn could be read.": "Tidak ada: setiap foto yang diambil dapat dibaca.",
    "true {name}: {called}": "sebenarnya {name}: {called}",
    "Written by maskkit for the run {name}.": "Ditulis oleh maskkit untuk percobaan {name}.",
    "{n} called {name}": "{n} diprediksi {name}",
    "suspects.csv, beside this page, lists all.": "suspects.csv, di folder halaman ini, memuat semuanya.",
    "A light judges the 95 % interval unless its reason says otherwise: green where all of it lies on the"
    " good side of the first limit, red where all of it lies beyond the second, amber where it is "
    "neither.":
        "Lampu menilai interval kepercayaan 95% kecuali alasannya menyebut lain: hijau bila seluruhnya berada"
        " di sisi baik batas pertama, merah bila seluruhnya melewati batas kedua, kuning bila bukan keduanya.",
    "Luck of the split": "Keberuntungan pembagian data",
    "Near copies in both parts": "Salinan mirip di kedua bagian",
    "What can be guessed without the face": "Yang dapat ditebak tanpa melihat wajah",
    "Where the network looks": "Bagian yang dilihat jaringan",
    "Photos from another source": "Foto dari sumber lain",
    "Odd files": "Berkas yang janggal",
    "Whether it is as sure as it should be": "Apakah keyakinannya sesuai",
    "Look for bars that cross a limit: with more photos those lights could still turn either way.":
        "Perhatikan garis yang melintasi batas: dengan lebih banyak foto, lampu itu masih dapat berubah ke "
        "arah mana pun.",
    "Look at how wide the scores lie: one split gives one of them, by luck.":
        "Perhatikan seberapa lebar nilainya tersebar: satu pembagian memberi salah satunya, secara kebetulan.",
    "Look for photos with a near copy among the training photos: they are recognised, not classified.":
        "Perhatikan foto yang punya salinan mirip di antara foto pelatihan: foto itu dikenali, bukan "
        "diklasifikasikan.",
    "Look for a rule that never sees a face and still comes close to the network: it may use it too.":
        "Perhatikan aturan yang tak pernah melihat wajah tetapi hampir sebaik jaringan: jaringan mungkin "
        "memakainya juga.",
    "Look for what costs most when hidden: that is where it looks. For masks it should be the lower half.":
        "Perhatikan bagian yang paling merugikan bila ditutup: ke sanalah jaringan melihat. Untuk masker "
        "seharusnya paruh bawah.",
    "Look for whether each filling hides what its name says, and nothing else.":
        "Perhatikan apakah setiap penutup menutupi yang disebut namanya, dan tidak lebih.",
    "Look for bright spots on mouth and nose; spots on the background point to a shortcut.":
        "Perhatikan bercak terang di mulut dan hidung; bercak di latar belakang menandakan jalan pintas.",
    "Look for how much is lost on photos from elsewhere: they share neither camera nor near copies.":
        "Perhatikan seberapa banyak yang hilang pada foto dari tempat lain: kameranya berbeda dan tidak ada "
        "salinan mirip.",
    "Look for what these mistakes share: another kind of mask, crop or light, or a wrong label.":
        "Perhatikan persamaan kesalahan ini: jenis masker, potongan, atau cahaya lain, atau label yang "
        "keliru.",
    "Look for files that do not belong here: they teach and measure something else.":
        "Perhatikan berkas yang tidak semestinya di sini: berkas itu mengajarkan dan mengukur hal lain.",
    "Look for points below the diagonal: there it is surer than it is right.":
        "Perhatikan titik di bawah diagonal: di situ jaringan lebih yakin daripada benar.",
    "One photo with each of its regions hidden in each way.":
        "Satu foto dengan setiap bagiannya ditutup dengan setiap cara.",
    "Photos under a map of how much each of their regions counts for the network's answer.":
        "Foto di bawah peta seberapa besar peran setiap bagiannya bagi jawaban jaringan.",
    "Photos that were called something else than they are; the tables below list them.":
        "Foto yang diprediksi sebagai kelas lain; tabel di bawah memuatnya.",
    "last epoch, mean over the splits": "epoch terakhir, rata-rata semua pembagian",
    "best epoch, mean over the splits": "epoch terbaik, rata-rata semua pembagian",
    "splits that reach the report's score": "pembagian yang mencapai nilai laporan",
    "photos not drawn, last epoch": "foto yang tidak diambil, epoch terakhir",
    "photos not drawn, best epoch": "foto yang tidak diambil, epoch terbaik",
    "the same bytes (SHA-256)": "bita yang sama (SHA-256)",
    "the same picture (perceptual hash)": "gambar yang sama (hash perseptual)",
    "the same scene (network features)": "pemandangan yang sama (fitur jaringan)",
    "one laid on the other (aligned)": "satu ditumpangkan pada yang lain (diselaraskan)",
    "all of these together": "semuanya bersama-sama",
    "held-out photos with a near copy among the training photos":
        "foto uji yang punya salinan mirip di antara foto pelatihan",
    "guess: the most frequent class": "tebakan: kelas yang paling sering",
    "blind: never sees the face": "buta: tak pernah melihat wajah",
    "weak: sees little of the photo": "lemah: melihat sedikit saja dari foto",
    "real: the audited network": "nyata: jaringan yang diaudit",
    "nothing": "tidak ada yang",
    "lower half": "paruh bawah",
    "upper half": "paruh atas",
    "background": "latar belakang",
    "blurred": "dikaburkan",
    "mean colour": "warna rata-rata",
    "trained here, measured on {folder}": "dilatih di sini, diukur pada {folder}",
    "trained here to the last epoch, measured on {folder}":
        "dilatih di sini sampai epoch terakhir, diukur pada {folder}",
    "trained on {folder}, measured here": "dilatih pada {folder}, diukur di sini",
    "gap between sureness and accuracy (ECE)": "selisih keyakinan dan akurasi (ECE)",
    "the same, after temperature scaling": "sama, setelah penskalaan suhu (temperature scaling)",
    "errors among those answered, if it may say “don't know”":
        "kesalahan di antara yang dijawab, bila boleh menjawab “tidak tahu”",
    "{part}: what was measured.": "{part}: yang diukur.",
    "{part} hidden": "{part} ditutup",
    "mistakes, {n}": "kesalahan, {n}",
    "audit.json cannot be used ({wrong}). Remove the file, then: {command}":
        "audit.json tidak dapat dipakai ({wrong}). Hapus berkas itu, lalu: {command}",
    "The six lights": "Keenam lampu",
    "{n} more in the table below": "{n} lagi dalam tabel di bawah",
    "All {n} numbers as a table": "Semua {n} angka dalam tabel",
    "The best epoch flatters by {points} points (95 % interval {ends}).":
        "Epoch terbaik terlalu bagus sebesar {points} poin (interval kepercayaan 95% {ends}).",
    "On photos of its own source: {share}.": "Pada foto dari sumbernya sendiri: {share}.",
    "Temperature {value}.": "Suhu {value}.",
    "It answers {answered} where it must be {sure} sure.": "Yang dijawab {answered} bila harus {sure} yakin.",
    "called {name}": "diprediksi {name}",
    "mistakes, the first {most} of {n}": "kesalahan, {most} yang pertama dari {n}",
    "not measured yet": "belum diukur",
    "not measured": "tidak diukur",
    "undefined": "tidak terdefinisi",
    "photos that need the lower half more than the upper":
        "foto yang lebih memerlukan paruh bawah daripada paruh atas",
    "how often each score came up": "seberapa sering setiap nilai muncul",
    "pairs and groups": "pasangan dan kelompok",
    "pairs": "pasangan",
    "pairs across parts": "pasangan antarbagian",
    "pairs across classes": "pasangan antarkelas",
    "groups": "kelompok",
    "photos in groups": "foto dalam kelompok",
    "by what finds them": "menurut cara menemukannya",
    "accuracy by sureness": "akurasi menurut keyakinan",
    "mean sureness": "keyakinan rata-rata",
    "accuracy": "akurasi",
    "errors by how sure it must be": "kesalahan menurut keyakinan yang disyaratkan",
    "must be so sure": "keyakinan yang disyaratkan",
    "answered": "dijawab",
    "errors among them": "kesalahan di antaranya",
    "photos answered": "foto yang dijawab",
    "true {name}": "sebenarnya {name}",
    "what was called what": "apa diprediksi sebagai apa",
    "per class": "per kelas",
    "95 % interval": "interval 95%",
    "measured on": "diukur pada",
    "light": "lampu",
    "in words": "dalam kalimat",
    "{n} splits": "{n} pembagian",
    "{n} photos": "{n} foto",
    "so far": "sejauh ini",
    "the other photos": "foto yang lain",
    "photos right": "foto yang benar",
    "splits": "pembagian",
    "count": "jumlah",
    "found by": "ditemukan oleh",
    "share": "bagian",
    "The rest is {pending}": "Selebihnya {pending}",
    "Green up to {green}, red from {red}": "Hijau sampai {green}, merah mulai {red}",
    "Green from {green}, red up to {red}": "Hijau mulai {green}, merah sampai {red}",
    "green": "hijau",
    "amber": "kuning",
    "red": "merah",
    "unknown": "tidak diketahui",
    "This page may show faces: do not share it without the consent of those shown.":
        "Halaman ini mungkin memuat wajah: jangan dibagikan tanpa persetujuan orang yang tampak.",
    "The faces on this page are drawn by this project's own code: they show nobody.":
        "Wajah di halaman ini digambar oleh kode proyek ini sendiri: bukan wajah siapa pun.",
    "(Scroll the figure sideways to see all of it.)": "(Geser gambar ke samping untuk melihat seluruhnya.)",
    "and {n} more: ": "dan {n} lagi: ",
    "{n}: {names} and {more} more": "{n}: {names}, dan {more} lagi",
    "The {n} classes with the lowest recall, of {of}.": "{n} kelas dengan recall terendah, dari {of} kelas.",
    "All {n} classes as a table": "Semua {n} kelas dalam tabel",
    "{count} right. The most frequent mistakes: {pairs}.": "{count} benar. Kesalahan yang paling sering: {pairs}.",
    "no mistake": "tidak ada kesalahan",
    "the most frequent mistakes": "kesalahan yang paling sering",
    "true {name} called {called}, {n} times": "{name} diprediksi {called}, {n} kali",
    "In the figures, #n stands for the n-th class: {names}.": "Di dalam gambar, #n berarti kelas ke-n: {names}.",
    "1 file": "1 berkas",
    "figure": "gambar",
    "table": "tabel",
}

STORED = {
    "same": "sama",
    "within the interval": "di dalam interval",
    "differs": "berbeda",
    "not comparable": "tidak dapat dibandingkan",
    "{n} of {of} ({share}, 95 % interval {ends})": "{n} dari {of} ({share}, interval kepercayaan 95% {ends})",
    "photos in each part": "jumlah foto setiap bagian",
    "{n} training, {m} validation photos": "{n} foto pelatihan, {m} foto validasi",
    "equal": "sama persis",
    "{n} classes, {m} of {of} photos on the diagonal": "{n} kelas, {m} dari {of} foto pada diagonal",
    "weights that learn": "bobot yang dilatih",
    "{n} of {of} ({arch})": "{n} dari {of} ({arch})",
    "{n} (resnet18)": "{n} (resnet18)",
    "equal, for ResNet18": "sama persis, untuk ResNet18",
    "best validation accuracy": "akurasi validasi terbaik",
    "the report's 97.5 % lies in this run's 95 % interval":
        "97,5% dari laporan berada di dalam interval kepercayaan 95% percobaan ini",
    "confusion matrix": "confusion matrix",
    "equal, or each class's share of right answers lies in this run's 95 % interval":
        "sama persis, atau proporsi jawaban benar setiap kelas berada di dalam interval kepercayaan 95% "
        "percobaan ini",
    "curves rise": "kurva membaik",
    "accuracy rises, loss falls": "akurasi naik, loss turun",
    "training accuracy {first} to {last}, loss {start} to {end}":
        "akurasi pelatihan {first} ke {last}, loss {start} ke {end}",
    "last epoch better than the first, in both": "epoch terakhir lebih baik daripada yang pertama, pada keduanya",
    "curves converge": "kurva konvergen",
    "both level off": "keduanya mendatar",
    "too few epochs": "epoch terlalu sedikit",
    "needs four epochs": "memerlukan empat epoch",
    "validation loss fell by {early} up to epoch {n}, by {late} after it":
        "loss validasi turun {early} sampai epoch {n}, {late} setelahnya",
    "the validation loss falls less in the second half than in the first, and does not rise by more":
        "loss validasi pada paruh kedua turun lebih sedikit daripada pada paruh pertama, dan tidak naik "
        "melebihi itu",
    "no gap between the parts": "tidak ada jarak antara kedua bagian",
    "no gap": "tidak ada jarak",
    "training minus validation accuracy, last epoch: {gap} points":
        "akurasi pelatihan dikurangi akurasi validasi, epoch terakhir: {gap} poin",
    "at most {n} points: two photos of 40": "paling banyak {n} poin: dua foto dari 40",
    "nothing": "tidak ada",
    "{n} folds": "{n} lipatan (fold)",
    "the {part} part, learned from Train photos without a version in it":
        "bagian {part}, dipelajari dari foto Train yang tidak punya versi di dalamnya",
    "not measured: the network's last stages learned from these photos, so its features know every other "
    "split too":
        "tidak diukur: tahap-tahap terakhir jaringan belajar dari foto ini, jadi fiturnya juga mengenal "
        "setiap pembagian lain",
    "The report's ResNet18 weights could not be had, so this is MobileNetV2.":
        "Bobot ResNet18 dari laporan tidak dapat diperoleh, jadi ini MobileNetV2.",
    "Kaggle's photos could not be had, so these are the drawn demo faces.":
        "Foto dari Kaggle tidak dapat diperoleh, jadi ini wajah demo yang digambar.",
    "Kaggle could not be reached, so this run uses synthetic faces.":
        "Kaggle tidak dapat dihubungi, jadi percobaan ini memakai wajah sintetis.",
    "No folder mounted in {folder} ({names}) holds with_mask and without_mask, and Kaggle could not be reached, so "
    "this run uses synthetic faces.":
        "Tidak ada folder di {folder} ({names}) yang berisi with_mask dan without_mask, dan Kaggle tidak dapat "
        "dihubungi, jadi percobaan ini memakai wajah sintetis.",
    "How to use the real photos: open {page}, press Download, unpack the archive anywhere, and give that folder as "
    "DATA.":
        "Cara memakai foto yang sebenarnya: buka {page}, tekan Download, ekstrak arsipnya di mana saja, dan berikan "
        "folder itu sebagai DATA.",
    "Tried to download {page}: {error}": "Dicoba mengunduh {page}: {error}",
    "set aside by hand": "disisihkan dengan tangan",
    "Luck of the split": "Keberuntungan pembagian data",
    "Leaks between the parts": "Kebocoran antara kedua bagian",
    "Shortcuts that see no mask": "Jalan pintas yang tidak melihat masker",
    "Looks at the mouth": "Melihat ke mulut",
    "Photos from elsewhere": "Foto dari tempat lain",
    "Calibration": "Kalibrasi",
    "one split in twenty that misleads by more than two photos of 40 is chance anyone accepts; one in "
    "five means that a single score says little":
        "satu dari dua puluh pembagian yang menyesatkan lebih dari dua foto dari 40 adalah kebetulan yang "
        "dapat diterima; satu dari lima berarti satu nilai saja tidak banyak artinya",
    "one held-out photo in a hundred cannot move a score of 40 photos; one in twenty moves it by two; "
    "every photo is looked at, so the count itself is judged, not its interval":
        "satu dari seratus foto uji tidak dapat menggeser nilai dari 40 foto; satu dari dua puluh "
        "menggesernya dua foto; setiap foto diperiksa, jadi yang dinilai jumlahnya sendiri, bukan intervalnya",
    "limits lie a quarter and half of the way from guessing to the model's accuracy: beyond half, a rule "
    "that cannot see a mask does most of what the model does":
        "batasnya berada pada seperempat dan setengah jarak dari menebak ke akurasi model: di atas setengah, "
        "aturan yang tidak dapat melihat masker sudah melakukan sebagian besar pekerjaan model",
    "a model that does not look at the mouth loses as much by a hidden upper half, in one photo of two; "
    "one that does should lose more by the lower half in two photos of three":
        "model yang tidak melihat mulut sama ruginya bila paruh atas ditutup, pada satu dari dua foto; model "
        "yang melihatnya semestinya lebih rugi oleh paruh bawah pada dua dari tiga foto",
    "limits lie 5 and 10 points below the accuracy on this set's own unseen photos: twice what chance "
    "moves a score of some hundred photos by":
        "batasnya 5 dan 10 poin di bawah akurasi pada foto himpunan ini yang belum pernah dilihat: dua kali "
        "pergeseran acak dari nilai beberapa ratus foto",
    "5 points is what a reader overlooks in a stated confidence; at 10, one in ten of the sure answers is"
    " wrong without a warning":
        "5 poin masih luput dari perhatian pembaca suatu tingkat keyakinan; pada 10, satu dari sepuluh "
        "jawaban yang yakin salah tanpa peringatan",
    "{share} (95 % interval {ends})": "{share} (interval kepercayaan 95% {ends})",
    "undefined: {why}": "tidak terdefinisi: {why}",
    "{arch}: over {n} splits the last epoch is right for {rate} of the validation photos; one split's "
    "score of {m} lies between {low} and {high} in 95 of 100 (sd {sd} points)":
        "{arch}: pada {n} pembagian, epoch terakhir benar untuk {rate} dari foto validasi; nilai satu "
        "pembagian dari {m} foto berada antara {low} dan {high} dalam 95 dari 100 (simpangan baku {sd} poin)",
    "{arch}: over {n} splits the best epoch is right for {rate} of the validation photos; one split's "
    "score of {m} lies between {low} and {high} in 95 of 100 (sd {sd} points)":
        "{arch}: pada {n} pembagian, epoch terbaik benar untuk {rate} dari foto validasi; nilai satu "
        "pembagian dari {m} foto berada antara {low} dan {high} dalam 95 dari 100 (simpangan baku {sd} poin)",
    "{arch}: {reached} of {n} splits reach the report's {share} in their best epoch":
        "{arch}: {reached} dari {n} pembagian mencapai {share} dari laporan pada epoch terbaiknya",
    "{arch}: every photo is drawn in every split, so none is left over":
        "{arch}: setiap foto diambil dalam setiap pembagian, jadi tidak ada yang tersisa",
    "{arch}: heads of the last epoch are right for {rate} of the photos not drawn":
        "{arch}: lapisan akhir dari epoch terakhir benar untuk {rate} dari foto yang tidak diambil",
    "{arch}: heads of the best epoch are right for {rate} of the photos not drawn":
        "{arch}: lapisan akhir dari epoch terbaik benar untuk {rate} dari foto yang tidak diambil",
    "the best epoch's score of one split misses {of} by more than {limit} points in {far} of {n} splits "
    "({share}, {arch})":
        "nilai epoch terbaik dari satu pembagian meleset lebih dari {limit} poin dari {of} pada {far} dari "
        "{n} pembagian ({share}, {arch})",
    "its own accuracy on the photos not drawn": "akurasinya sendiri pada foto yang tidak diambil",
    "the mean of all splits (no photo is left over)": "rata-rata semua pembagian (tidak ada foto yang tersisa)",
    "{how}: {n} of {of} photos have another version of themselves in the set ({pairs} pairs, {parts} "
    "across parts, {classes} across classes)":
        "{how}: {n} dari {of} foto punya versi lain dari dirinya dalam himpunan ({pairs} pasangan, {parts} "
        "antarbagian, {classes} antarkelas)",
    "equal bytes": "bita yang sama",
    "equal looks (perceptual hash, mirrored too)": "rupa yang sama (hash perseptual, juga cerminannya)",
    "one laid on the other (neighbours in colour and features, aligned)":
        "satu ditumpangkan pada yang lain (tetangga dalam warna dan fitur, diselaraskan)",
    "all detectors together": "semua detektor bersama-sama",
    "no photos of {words} among these": "tidak ada foto dari {words} di antaranya",
    "{n} of {of} photos of {words} have another version of themselves among the training photos":
        "{n} dari {of} foto dari {words} punya versi lain dari dirinya di antara foto pelatihan",
    "the run's validation part": "bagian validasi percobaan ini",
    "a rule on {title} alone is right for {share} of {where}":
        "aturan berdasarkan {title} saja benar untuk {share} dari {where}",
    "a rule on {title} alone is right for {share} of {where}: that part of any score may not be about "
    "masks":
        "aturan berdasarkan {title} saja benar untuk {share} dari {where}: bagian nilai sebesar itu mungkin "
        "bukan tentang masker",
    "the test photos": "foto uji",
    "the photos, each tested once": "foto, masing-masing diuji sekali",
    "the commonest class": "kelas yang paling sering",
    "width and height": "lebar dan tinggi",
    "the photo's size in pixels": "ukuran foto dalam piksel",
    "metadata": "metadata",
    "the file's kind, channels, EXIF, colour profile, compression":
        "jenis berkas, kanal, EXIF, profil warna, kompresi",
    "outer ring": "tepi luar",
    "the outer 6 % of the pixels, at 32 x 32": "6% piksel terluar, pada 32 x 32",
    "file size": "ukuran berkas",
    "the number of bytes": "jumlah bita",
    "sharpness and noise": "ketajaman dan derau",
    "five numbers on edges and grain": "lima angka tentang tepi dan butiran",
    "thumbnail": "gambar mini",
    "the photo at 16 x 16 pixels": "foto pada 16 x 16 piksel",
    "gradients (HOG)": "gradien (HOG)",
    "histograms of oriented gradients at 64 x 64": "histogram gradien terarah pada 64 x 64",
    "untrained ResNet18": "ResNet18 yang tidak dilatih",
    "features of a network with random weights": "fitur jaringan dengan bobot acak",
    "the recipe": "resep",
    "the recipe ({arch})": "resep ({arch})",
    "all": "semuanya",
    "the whole photo": "seluruh foto",
    "no backbone's weights can be had": "bobot jaringan dasar tidak dapat diperoleh",
    "the recipe itself ({arch}) is right for {rate} of {where}":
        "resepnya sendiri ({arch}) benar untuk {rate} dari {where}",
    "the recipe itself does no better than guessing": "resepnya sendiri tidak lebih baik daripada menebak",
    "{arch} with {words} is right for {rate} of {n} unseen photos":
        "{arch} dengan {words} benar untuk {rate} dari {n} foto yang belum pernah dilihat",
    "the lower half hidden (blur)": "paruh bawah ditutup (dikaburkan)",
    "the lower half hidden (mean)": "paruh bawah ditutup (warna rata-rata)",
    "the upper half hidden (blur)": "paruh atas ditutup (dikaburkan)",
    "the upper half hidden (mean)": "paruh atas ditutup (warna rata-rata)",
    "the background hidden (blur)": "latar belakang ditutup (dikaburkan)",
    "the background hidden (mean)": "latar belakang ditutup (warna rata-rata)",
    "hiding the lower half costs the true class more than hiding the upper half in {rate} of {n} unseen "
    "photos ({arch}); a model that does not care which would show 50 %":
        "menutup paruh bawah lebih merugikan kelas sebenarnya daripada menutup paruh atas pada {rate} dari "
        "{n} foto yang belum pernah dilihat ({arch}); model yang tidak membedakannya akan menunjukkan 50%",
    "{words}: balanced accuracy {rate}": "{words}: akurasi seimbang {rate}",
    "{words}: balanced accuracy {rate}; on its own source's unseen photos {own}":
        "{words}: akurasi seimbang {rate}; pada foto sumbernya sendiri yang belum pernah dilihat {own}",
    "trained here, measured there": "dilatih di sini, diukur di sana",
    "trained here, measured there (last epoch instead of the best)":
        "dilatih di sini, diukur di sana (epoch terakhir, bukan yang terbaik)",
    "trained there, measured here": "dilatih di sana, diukur di sini",
    "{n} of {of} files: {title}": "{n} dari {of} berkas: {title}",
    "cannot be decoded": "tidak dapat didekode",
    "black or flat": "hitam atau rata",
    "smaller than 32 pixels, or over three times as long as wide":
        "lebih kecil dari 32 piksel, atau panjangnya lebih dari tiga kali lebar",
    "without colour": "tanpa warna",
    "the same bytes in two classes": "bita yang sama dalam dua kelas",
    "label likely wrong": "label mungkin keliru",
    "no out-of-fold predictions, see calibration": "tidak ada prediksi out-of-fold, lihat kalibrasi",
    "{n} unseen photos are too few, {m} are needed":
        "{n} foto yang belum pernah dilihat terlalu sedikit, diperlukan {m}",
    "stated confidence and accuracy differ by {points} points on average (95 % interval {ends}) on "
    "{words}":
        "keyakinan yang dinyatakan dan akurasi rata-rata berselisih {points} poin (interval kepercayaan 95% "
        "{ends}) pada {words}",
    "stated confidence and accuracy differ by {points} points on average (95 % interval {ends}) on "
    "{words} after a temperature of {value}, fitted on other photos":
        "keyakinan yang dinyatakan dan akurasi rata-rata berselisih {points} poin (interval kepercayaan 95% "
        "{ends}) pada {words} setelah suhu {value}, disesuaikan pada foto lain",
    "{n} photos the model has not seen": "{n} foto yang belum pernah dilihat model",
    "{n} photos, out of fold": "{n} foto, out-of-fold",
    "no threshold brings the error rate to {share}":
        "tidak ada ambang yang membuat tingkat kesalahan menjadi {share}",
    "no answer need be withheld: all are given, with {rate} of the answers wrong (aim: {aim})":
        "tidak ada jawaban yang perlu ditahan: semuanya diberikan, dengan {rate} dari jawaban salah (sasaran:"
        " {aim})",
    "saying \"don't know\" below {sure} confidence answers {answered} of the photos, with {rate} of the "
    "answers wrong (aim: {aim})":
        "dengan menjawab \"tidak tahu\" di bawah keyakinan {sure}, {answered} dari foto dijawab, dengan {rate} "
        "dari jawaban salah (sasaran: {aim})",
}
