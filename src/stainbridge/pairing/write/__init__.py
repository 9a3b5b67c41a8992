"""What a paired data set consists of beside its pictures: manifest, card, pages, archives."""
